"""Just enough of HTTP/2 and gRPC, over plain sockets, to speak them wrongly."""

import socket
import struct
import threading
import urllib.parse

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 0x1, 0x4


def connect(address, timeout=10, patience=200):
    """A connected socket to "HOST:PORT" or "unix:PATH". `timeout`: of everything but the connecting."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(patience)
        connection.connect(address[5:])
    else:
        parts = urllib.parse.urlsplit("//" + address)
        connection = socket.create_connection((parts.hostname, parts.port), timeout=patience)
    connection.settimeout(timeout)
    return connection


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def headers(path, extra=()):
    """A header block without compression: literals that are never indexed."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
              ("content-type", "application/grpc"), ("te", "trailers"), *extra]
    block = b""
    for name, value in fields:
        block += b"\x00" + _length(len(name)) + name.encode() + _length(len(value)) + value.encode()
    return block


def _length(number):
    """An HPACK integer with a prefix of seven bits."""
    if number < 127:
        return bytes([number])
    rest, out = number - 127, b"\x7f"
    while rest >= 128:
        out += bytes([rest % 128 + 128])
        rest //= 128
    return out + bytes([rest])


def message(payload, compressed=0, length=None):
    """A gRPC message; `length`: what it claims to be."""
    return struct.pack(">BI", compressed, len(payload) if length is None else length) + payload


def open_connection(address, timeout=10):
    connection = connect(address, timeout)
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return connection


def call(stream, path, payload, end=True, extra=()):
    """The frames of one call with one message."""
    frames = frame(HEADERS, END_HEADERS, stream, headers(path, extra))
    for at in range(0, len(payload), 16384):
        frames += frame(DATA, 0, stream, payload[at : at + 16384])
    return frames + (frame(DATA, END_STREAM, stream) if end else b"")


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def field(number, value):
    """A protobuf field: bytes or an integer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def drain(connection, limit=1 << 20):
    """What the server says until it closes or falls silent."""
    got = b""
    try:
        while len(got) < limit:
            more = connection.recv(65536)
            if not more:
                break
            got += more
    except (TimeoutError, ConnectionError, socket.timeout):
        pass
    return got


class Reader:
    """Reads the server's frames, for who wants to know when calls end."""

    def __init__(self, connection):
        self.connection, self.got = connection, b""

    def frame(self):
        """(kind, flags, stream) of the next one. ConnectionError when the server hangs up."""
        while len(self.got) < 9 or len(self.got) < 9 + int.from_bytes(self.got[:3], "big"):
            more = self.connection.recv(65536)
            if not more:
                raise ConnectionError("the server hung up")
            self.got += more
        kind, flags, stream = struct.unpack(">BBI", self.got[3:9])
        self.got = self.got[9 + int.from_bytes(self.got[:3], "big"):]
        return kind, flags, stream

    def wait_for_ends(self, streams):
        left = set(streams)
        while left:
            kind, flags, stream = self.frame()
            if kind == RST_STREAM or (kind == HEADERS and flags & END_STREAM):
                left.discard(stream)


class Relay:
    """Passes what a client and the server say to each other, and counts it; what the server says goes through `change`."""

    def __init__(self, target, change=bytes):
        self.target, self.change = target, change
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.up = self.down = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client = self.listener.accept()[0]
            server = connect(self.target, None)
            threading.Thread(target=self._pump, args=(client, server, "up", bytes), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, "down", self.change), daemon=True).start()

    def _pump(self, source, sink, way, change):
        try:
            while data := source.recv(65536):
                setattr(self, way, getattr(self, way) + len(data))
                sink.sendall(change(data))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has gone
