"""Clients that only want to do harm. After each of them the server still answers a query and holds little more memory than
before; and what they did not finish is given back.

ESPALIER_ATTACK_CONNECTIONS: how many connections to open at once; 10000 in a long run, fewer by default.
"""

import hashlib
import os
import pathlib
import random
import resource
import socket
import ssl
import threading
import time

import harness
import raw_http2 as h2
from harness import Authority, Case, Server, espalier, verify

UPLOAD = "/espalier.v1.Espalier/UploadBlob"
VERIFY = "/espalier.v1.Espalier/Verify"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
MIB = 1 << 20
TRANSPORT = 512 * MIB  # that messages and streams on their way in share


def upload_header(data, size=None, digest=None):
    digest = digest or hashlib.sha256(data).hexdigest()
    header = h2.field(1, 1) + h2.field(2, digest.encode()) + h2.field(3, len(data) if size is None else size)
    return h2.message(h2.field(1, header))


def upload_chunk(data):
    return h2.message(h2.field(2, data))


class Attack(Case):
    flags = client_flags = ()
    most_growth = 150 * MIB  # when it is over; uploaded files, which are kept in memory here, are 64 of them

    def setUp(self):
        super().setUp()
        self.prepare()
        self.server = Server("--listen", "127.0.0.1:0", "--upload-grace", "1", "--blob-quota", str(64 * MIB), *self.flags,
                             log_level="off")
        self.addCleanup(self.server.__exit__)
        self.assertIsNotNone(self.server.address)
        for _ in range(3):
            self.assert_answers(self.verify())
        self.before = self.server.rss()
        self.random = random.Random(20261123)

    def prepare(self):
        """What a server needs that is not like the others."""

    def verify(self):
        return verify(self.server.address, *self.client_flags)

    def tearDown(self):
        self.assert_answers(self.verify())
        name, peak = self.id().split(".")[-1], self.server.memory("VmHWM")
        # What was freed goes back to the system a little later.
        self.assertTrue(harness.eventually(lambda: self.server.rss() - self.before < self.most_growth), name)
        print(f"  {name}: memory {self.before / MIB:.0f} -> {self.server.rss() / MIB:.0f} MiB, at most {peak / MIB:.0f}")
        self.assertLess(peak - self.before, self.most_growth + TRANSPORT)
        self.assertIsNone(self.server.process.poll())
        super().tearDown()

    def connect(self):
        connection = h2.open_connection(self.server.address)
        self.addCleanup(connection.close)
        return connection

    def send(self, connection, data):
        """Whether the server took it all."""
        try:
            connection.sendall(data)
            return True
        except (ConnectionError, TimeoutError, socket.timeout, ssl.SSLError):
            return False


def is_closed(connection):
    """Whether the server hung up; what it said before that is read."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
        return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


class Messages(Attack):
    def test_garbage_instead_of_http2(self):
        for _ in range(200):
            with h2.connect(self.server.address) as connection:
                self.send(connection, self.random.randbytes(self.random.randrange(1, 4000)))

    def test_malformed_frames(self):
        kinds = list(range(16)) + [255]
        for _ in range(300):
            connection = self.connect()
            for _ in range(5):
                payload = self.random.randbytes(self.random.choice([0, 1, 3, 4, 5, 8, 100, 16384]))
                if not self.send(connection, h2.frame(self.random.choice(kinds), self.random.randrange(256),
                                                      self.random.choice([0, 1, 2, 3, 2**31 - 1]), payload)):
                    break
            connection.close()

    def test_frame_longer_than_allowed(self):
        connection = self.connect()
        self.send(connection, h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.headers(VERIFY)))
        self.send(connection, b"\xff\xff\xff" + bytes([h2.DATA, 0, 0, 0, 0, 1]) + bytes(MIB))

    def test_endless_headers(self):
        for _ in range(5):
            connection = self.connect()
            self.send(connection, h2.frame(h2.HEADERS, 0, 1, h2.headers(VERIFY)))
            block = b"\x00" + h2._length(7) + b"x-flood" + h2._length(8000) + b"a" * 8000
            for _ in range(2000):
                if not self.send(connection, h2.frame(h2.CONTINUATION, 0, 1, block)):
                    break

    def test_header_table_bombs(self):
        connection = self.connect()
        stream = 1
        for _ in range(200):
            block = b"\x40" + h2._length(1) + b"y" + h2._length(4000) + b"b" * 4000  # indexed ...
            block += b"\xbe" * 1000  # ... and named a thousand times
            if not self.send(connection, h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.headers(VERIFY) + block)):
                break
            stream += 2

    def test_garbage_messages(self):
        connection = self.connect()
        for stream in range(1, 1001, 2):
            payload = h2.message(self.random.randbytes(self.random.randrange(0, 2000)))
            if not self.send(connection, h2.call(stream, self.random.choice([UPLOAD, VERIFY]), payload)):
                connection = self.connect()

    def test_messages_that_lie_about_their_length(self):
        for length in (0xFFFFFFFF, 0x7FFFFFFF, 5 * MIB, 100):
            connection = self.connect()
            self.send(connection, h2.call(1, VERIFY, h2.message(b"abc", length=length)))
        connection = self.connect()
        self.send(connection, h2.call(1, VERIFY, h2.message(b"\x1f\x8b" + bytes(1000), compressed=1)))

    def test_oversized_messages(self):
        for stream in range(1, 21, 2):
            connection = self.connect()
            self.send(connection, h2.call(stream, VERIFY, h2.message(bytes(8 * MIB))))

    def test_unknown_methods_and_names(self):
        connection = self.connect()
        for stream in range(1, 401, 2):
            path = self.random.choice(["/", "", "/a/b", "//", "/espalier.v1.Espalier/../Verify", "/" + "a" * 3000])
            self.send(connection, h2.call(stream, path, h2.message(b"")))


class Uploads(Attack):
    def assert_quota_is_free(self):
        """The whole quota can be used again: a file of nearly its size is taken, and found to be no model."""
        large = pathlib.Path(self.path("large"))
        large.write_bytes(bytes([self.random.randrange(256)]) * (60 * MIB))
        invalid, no_room = 3, 6

        def is_free():
            done = espalier("describe", str(large), "--server", self.server.address)
            self.assertIn(done.returncode, (invalid, no_room), done.stderr)
            return done.returncode == invalid

        self.assertTrue(harness.eventually(is_free), "uploads that never came still hold room")

    def test_promises_that_are_never_kept(self):
        connections = [self.connect() for _ in range(20)]
        for index, connection in enumerate(connections):
            digest = hashlib.sha256(str(index).encode()).hexdigest()
            self.send(connection, h2.call(1, UPLOAD, upload_header(b"", 30 * MIB, digest), end=False))
        for connection in connections:
            connection.close()
        self.assert_quota_is_free()

    def test_slow_uploads_are_ended(self):
        """A byte now and then: the server ends the call, and gives the room back."""
        connection = self.connect()
        data = bytes(200_000)
        self.send(connection, h2.call(1, UPLOAD, upload_header(data), end=False))
        silent = self.connect()
        self.send(silent, h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.headers(UPLOAD)))
        ended = [b"", b""]

        def is_ended():
            self.send(connection, h2.frame(h2.DATA, 0, 1, upload_chunk(b"x")))
            for index, one in enumerate((connection, silent)):
                one.settimeout(0.1)
                ended[index] += h2.drain(one)
            return all(b"does not explain" in answer for answer in ended)

        self.assertTrue(harness.eventually(is_ended), ended)

    def test_wrong_digests_and_sizes(self):
        connection = self.connect()
        data = self.random.randbytes(100_000)
        wrong = [
            (upload_header(data, digest="0" * 64) + upload_chunk(data), b"WRONG_DIGEST"),
            (upload_header(data, size=10) + upload_chunk(data), b"WRONG_SIZE"),
            (upload_header(data) + upload_chunk(data[:-1]), b"WRONG_SIZE"),
            (upload_header(data, digest="../../etc/passwd") + upload_chunk(data), b"digest"),
            (upload_header(data, size=2**62) + upload_chunk(data), b"INVALID_REQUEST"),
            (upload_header(data, size=2**64 - 1) + upload_chunk(data), b"INVALID_REQUEST"),
            (upload_chunk(data), b"INVALID_REQUEST"),
            (upload_header(data) * 2, b"INVALID_REQUEST"),
        ]
        connection.settimeout(2)
        for index, (payload, _) in enumerate(wrong):
            self.send(connection, h2.call(2 * index + 1, UPLOAD, payload))
        h2.drain(connection)
        self.assert_quota_is_free()

    def test_more_than_the_quota(self):
        for index in range(6):
            connection = self.connect()
            data = bytes([index]) * (30 * MIB)
            self.send(connection, h2.call(1, UPLOAD, upload_header(data), end=False))
            for at in range(0, len(data), MIB):
                payload = upload_chunk(data[at : at + MIB])
                if not self.send(connection, b"".join(h2.frame(h2.DATA, 0, 1, payload[i : i + 16384])
                                                      for i in range(0, len(payload), 16384))):
                    break
            connection.close()


def resets(first, count, block):
    """Calls that are reset as soon as they have begun (CVE-2023-44487), from this stream on."""
    cancel = (8).to_bytes(4, "big")
    return b"".join(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, block) + h2.frame(h2.RST_STREAM, 0, stream, cancel)
                    for stream in range(first, first + 2 * count, 2))


class ResetFloods(Attack):
    """Far more calls than one connection may have, begun and reset as fast as possible."""

    def open(self):
        return h2.open_connection(self.server.address)

    def reset(self, flood, waves):
        """What one attacker does: comes back for each wave."""
        for _ in range(waves):
            with self.open() as connection:
                all(self.send(connection, part) for part in flood)

    def attack(self, count, waves=1, clients=4, paths=(VERIFY,)):
        """Many attackers at once; others are served meanwhile."""
        floods = [[resets(first, 100, h2.headers(path)) for first in range(1, 2 * count, 200)] for path in paths]
        attackers = [threading.Thread(target=self.reset, args=(floods[index % len(floods)], waves))
                     for index in range(clients)]
        for attacker in attackers:
            attacker.start()
        try:
            # More than once where the machine is too busy for a connection within the seconds that it may take.
            self.assertTrue(harness.eventually(lambda: self.verify().returncode == 0))
        finally:
            for attacker in attackers:
                attacker.join()

    def test_streams(self):
        self.attack(100_000)

    def test_streams_of_every_kind(self):
        """What answers a call is not the same everywhere in gRPC."""
        self.attack(50_000, paths=(HEALTH, REFLECTION, "/no/such", UPLOAD))

    def test_waves_of_connections(self):
        """Each of them gone before anybody could hang up on it."""
        self.attack(3_000, 15)

    def test_many_connections(self):
        self.attack(1_500, clients=60)


class ResetFloodsOverTls(ResetFloods):
    test_streams_of_every_kind = test_waves_of_connections = test_many_connections = None  # as without

    def prepare(self):
        authority = Authority(self.folder)
        certificate, key = authority.sign("server")
        self.flags = ("--tls-cert", certificate, "--tls-key", key)
        self.client_flags = ("--tls-ca", authority.certificate)

    def open(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        connection = context.wrap_socket(h2.connect(self.server.address))
        connection.sendall(h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0))
        return connection


class OpenCalls(Attack):
    def test_more_than_all_together_may_have(self):
        """Each connection keeps to its limit, and all of them together do not: some are hung up on, others stay."""
        connections = [self.connect() for _ in range(60)]
        block = h2.headers(VERIFY)
        for connection in connections:
            self.send(connection, b"".join(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, block)
                                           for stream in range(1, 1001, 2)))
        self.assertTrue(harness.eventually(lambda: sum(is_closed(one) for one in connections) >= 60 - 16_384 // 500))
        self.assert_answers(self.verify())
        self.assertFalse(all(is_closed(one) for one in connections))
        for connection in connections:
            connection.close()


class GoodClients(Attack):
    """Those who only call often, or change their minds now and then, are not hung up on."""

    def test_quick_calls_and_some_that_are_cancelled(self):
        connection = self.connect()
        wide = (2**30).to_bytes(4, "big")
        connection.sendall(h2.frame(h2.WINDOW_UPDATE, 0, 0, wide))
        reader, block = h2.Reader(connection), h2.headers(HEALTH)
        for first in range(1, 50 * 440, 440):
            streams = range(first + 40, first + 440, 2)
            connection.sendall(resets(first, 20, block))
            connection.sendall(b"".join(h2.call(stream, HEALTH, h2.message(b"")) for stream in streams))
            reader.wait_for_ends(streams)

    def test_as_many_cancelled_at_once_as_a_connection_may_have(self):
        connection = self.connect()
        block, streams = h2.headers(VERIFY), range(1, 1001, 2)
        connection.sendall(b"".join(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, block) for stream in streams))
        connection.sendall(b"".join(h2.frame(h2.RST_STREAM, 0, stream, bytes(4)) for stream in streams))
        connection.sendall(h2.call(1001, HEALTH, h2.message(b"")))
        h2.Reader(connection).wait_for_ends([1001])


class Floods(Attack):
    def test_pings_and_settings(self):
        connection = self.connect()
        flood = (h2.frame(h2.PING, 0, 0, bytes(8)) + h2.frame(h2.SETTINGS, 0, 0)) * 500
        for _ in range(40):
            if not self.send(connection, flood):
                break

    def test_answers_that_nobody_reads(self):
        """Two hundred verifications whose client never takes an answer."""
        with open(harness.model("tiny_max.onnx"), "rb") as file:
            network = file.read()
        with open(harness.query("tiny_max_unsat.vnnlib"), "rb") as file:
            query = file.read()
        request = h2.field(1, h2.field(2, network)) + h2.field(2, h2.field(2, query))
        connection = h2.connect(self.server.address)
        self.addCleanup(connection.close)
        no_window = b"\x00\x04" + (0).to_bytes(4, "big")
        connection.sendall(h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0, no_window))
        for stream in range(1, 401, 2):
            if not self.send(connection, h2.call(stream, VERIFY, h2.message(request))):
                break
        time.sleep(1)

    def test_connections(self):
        """As many as the limit of open files allows, most of them silent."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = int(os.environ.get("ESPALIER_ATTACK_CONNECTIONS", "1000"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, wanted + 100)), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.most_growth += wanted * 64 * 1024
        count = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
        connections = []
        for index in range(count):
            try:
                connection = h2.connect(self.server.address)
            except (OSError, TimeoutError):
                break
            if index % 2 == 0:
                self.send(connection, h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0))
            connections.append(connection)
        print(f"  {len(connections)} connections")
        self.assertGreater(len(connections), count // 2)
        self.assert_answers(self.verify())
        for connection in connections:
            connection.close()

    def test_slow_handshakes(self):
        connections = [h2.connect(self.server.address) for _ in range(100)]
        for byte in h2.PREFACE[:10]:
            for connection in connections:
                self.send(connection, bytes([byte]))
            time.sleep(0.05)
        for connection in connections:
            connection.close()


class FewFiles(Attack):
    """A server that may not open many files: strangers who take them all cannot stop it for good."""

    def test_connections_beyond_the_limit(self):
        resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, (120, 120))
        connections = []
        for _ in range(300):
            try:
                connections.append(h2.connect(self.server.address, patience=2))
            except (OSError, TimeoutError):
                break
        for connection in connections:
            connection.close()
        self.assertTrue(harness.eventually(lambda: self.verify().returncode == 0))


if __name__ == "__main__":
    harness.main()
