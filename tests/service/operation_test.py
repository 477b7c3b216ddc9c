"""What operators look at and turn: HTTP pages, logs, drain, settings from four places."""

import json
import signal
import subprocess
import urllib.error
import urllib.request

import harness
import raw_http2 as h2
from harness import Case, Server, endless_query, espalier, eventually, model, query, verify

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def get(server, path, method="GET"):
    """(status, text)"""
    request = urllib.request.Request(f"http://{server.http}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=harness.PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(text, name):
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


class Pages(Case):
    def test_health_readiness_and_metrics(self):
        with Server("--listen", "unix:" + self.path("socket"), "--http-address", "127.0.0.1:0") as server:
            self.assertEqual(get(server, "/healthz"), (200, "ok\n"))
            self.assertEqual(get(server, "/readyz"), (200, "ready\n"))
            self.assertEqual(get(server, "/")[0], 404)
            self.assertEqual(get(server, "/../../etc/passwd")[0], 404)
            self.assertEqual(get(server, "/metrics", "POST")[0], 405)
            self.assertEqual(get(server, "/metrics", "HEAD"), (200, ""))
            self.assertEqual(metric(get(server, "/metrics")[1], "espalier_answers_total"), 0)
            for _ in range(3):
                self.assert_answers(verify(server.address))
            done = espalier("describe", query("tiny_max_unsat.vnnlib"), "--server", server.address)
            self.assertEqual(done.returncode, 3)
            # A call is counted when the server is done with it, which may be after its caller has the answer.
            counts = {'espalier_answers_total{answer="unsat"}': 3, 'espalier_calls_total{method="Verify",code="OK"}': 3,
                      'espalier_calls_total{method="DescribeModel",code="INVALID_ARGUMENT"}': 1,
                      'espalier_call_duration_seconds_count{method="Verify"}': 3}
            for name, count in counts.items():
                self.assertTrue(eventually(lambda: metric(get(server, "/metrics")[1], name) >= count), name)
            text = get(server, "/metrics")[1]
            self.assertEqual({name: metric(text, name) for name in counts}, counts)
            self.assertEqual(metric(text, "espalier_ready"), 1)
            self.assertGreater(metric(text, "process_resident_memory_bytes"), 1e6)
            self.assertNotIn("tiny_max", text)

    def test_there_is_no_http_port_unless_asked_for(self):
        with Server("--listen", "unix:" + self.path("socket")) as server:
            listening = subprocess.run(["ls", "-l", f"/proc/{server.process.pid}/fd"], capture_output=True, text=True)
            self.assertIn("socket:", listening.stdout)
            with open("/proc/net/tcp") as table:
                inodes = {line.split()[9] for line in table.readlines()[1:] if line.split()[3] == "0A"}
            own = {word.strip("[]") for line in listening.stdout.split() for word in [line[7:]] if line.startswith("socket:")}
            self.assertEqual(inodes & own, set())

    def test_an_http_address_in_use_ends_the_server(self):
        with Server("--listen", "unix:" + self.path("a"), "--http-address", "127.0.0.1:0") as first:
            with Server("--listen", "unix:" + self.path("b"), "--http-address", first.http) as second:
                self.assertEqual(second.wait(), 1)

    def start_search(self, server):
        """A client whose search runs until somebody ends it."""
        client = subprocess.Popen(
            [harness.ESPALIER, "verify", endless_query(self.folder), "--network", model("digits.onnx"), "--timeout", "3000",
             "--no-attack", "--server", server.address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        self.assertTrue(eventually(lambda: metric(get(server, "/metrics")[1], "espalier_queue_running") == 1))
        return client

    def test_readiness_flips_while_the_server_drains(self):
        with Server("--listen", "unix:" + self.path("socket"), "--http-address", "127.0.0.1:0", "--drain-timeout",
                    "1000") as server:
            client = self.start_search(server)
            server.signal(signal.SIGTERM)
            self.assertTrue(server.wait_for_log("event=drain"))
            self.assertEqual(get(server, "/readyz"), (503, "the server is shutting down\n"))
            self.assertEqual(get(server, "/healthz")[0], 200)
            self.assertEqual(metric(get(server, "/metrics")[1], "espalier_ready"), 0)
            self.assertIsNone(client.poll())
            client.kill()
            self.assertEqual(server.wait(), 0)

    def test_drain_ends_although_a_search_does_not(self):
        with Server("--listen", "unix:" + self.path("socket"), "--http-address", "127.0.0.1:0", "--drain-timeout",
                    "0.5") as server:
            self.start_search(server)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)


class Retention(Case):
    def test_old_jobs_are_forgotten_and_running_ones_are_not(self):
        with Server("--listen", "unix:" + self.path("socket"), "--data-dir", self.path("data"), "--keep-jobs", "2",
                    "--concurrency", "2") as server:
            common = ["--server", server.address]
            running = espalier("submit", endless_query(self.folder), "--network", model("digits.onnx"), "--no-attack", "--threads",
                               "1", *common).stdout.strip()
            ended = []
            for _ in range(5):
                ended.append(espalier("submit", query(harness.TINY[0]), "--network", model(harness.TINY[1]), *common).stdout.strip())
                watched = espalier("watch", ended[-1], "--quiet", *common)
                # The job may have been forgotten before its watcher came: only the last two may not.
                self.assertIn(watched.returncode, (0, 3), watched.stderr)
            kept = [ended[4], ended[3], running]

            def held():
                return [json.loads(line)["job_id"] for line in espalier("jobs", "--json", *common).stdout.splitlines()]

            self.assertTrue(eventually(lambda: len(held()) <= len(kept)))
            self.assertEqual(held(), kept)
            self.assertTrue(server.wait_for_log("event=forgotten"))
            self.assertEqual(espalier("cancel", running, *common).returncode, 0)


class Logs(Case):
    def test_json_lines_with_job_and_traceparent(self):
        with Server("--listen", "unix:" + self.path("socket"), "--data-dir", self.path("data"), "--log-format",
                    "json") as server:
            trace = {"TRACEPARENT": TRACE}
            job = espalier("submit", query("tiny_max_unsat.vnnlib"), "--network", model("tiny_max.onnx"), "--server",
                           server.address, "--label", 'with "quotes"\n', environment=trace).stdout.strip()
            espalier("watch", job, "--server", server.address, "--quiet", environment=trace)
            verify(server.address, environment={"TRACEPARENT": "no trace"})
            for text in ('"event":"finished"', '"rpc":"Watch"', '"rpc":"Verify"'):
                self.assertTrue(server.wait_for_log(text), text)
            lines = [json.loads(line) for line in server.log().splitlines()]
            finished = [line for line in lines if line.get("job") == job and line.get("event") == "finished"]
            self.assertEqual([line["traceparent"] for line in finished], [TRACE])
            self.assertEqual(finished[0]["answer"], "unsat")
            submitted = next(line for line in lines if line.get("event") == "submitted")
            self.assertEqual(submitted["label"], 'with "quotes"\n')
            calls = {line["rpc"]: line for line in lines if "rpc" in line}
            self.assertEqual(calls["Watch"]["traceparent"], TRACE)
            self.assertEqual(calls["Watch"]["job"], job)
            self.assertNotIn("traceparent", calls["Verify"])
            self.assertEqual({line["level"] for line in lines}, {"info"})


class Versions(Case):
    def test_a_client_of_another_version_is_served_and_logged(self):
        with Server("--listen", "127.0.0.1:0") as server:
            with h2.open_connection(server.address) as connection:
                connection.sendall(h2.call(1, "/espalier.v1.Espalier/GetCapabilities", h2.message(b""),
                                           extra=[("espalier-version", "9.8.7")]))
                self.assertTrue(server.wait_for_log("client_version=9.8.7"))
            self.assertIn("code=OK", server.log())

    def test_the_client_warns_of_a_server_of_another_series_and_goes_on(self):
        own = subprocess.run([harness.ESPALIER, "--version"], capture_output=True, text=True).stdout.strip().encode()
        other = b"9" + own[1:]
        with Server("--listen", "127.0.0.1:0") as server:
            relay = h2.Relay(server.address, lambda data: data.replace(own, other))
            done = verify(relay.address)
            self.assert_answers(done)
            self.assertIn(other.decode(), done.stderr)
            self.assertNotIn("warning", verify(server.address).stderr)


class Settings(Case):
    def setting(self, name, *flags, environment=None):
        done = subprocess.run([harness.ESPALIERD, *flags, "--print-config"], capture_output=True, text=True,
                              env={**harness.os.environ, **(environment or {})})
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line for line in done.stdout.splitlines() if line.startswith(name + "=")]
        return lines[0].split("=", 1)[1].strip('"')

    def test_flags_win_over_environment_over_file_over_default(self):
        file = self.path("settings", "max-queue=5\ndrain-timeout=7\nlog-format=json\n")
        environment = {"ESPALIERD_MAX_QUEUE": "6", "ESPALIERD_CONFIG": file}
        self.assertEqual(self.setting("max-queue"), "64")
        self.assertEqual(self.setting("max-queue", "--config", file), "5")
        self.assertEqual(self.setting("max-queue", environment=environment), "6")
        self.assertEqual(self.setting("max-queue", "--max-queue", "7", environment=environment), "7")
        self.assertEqual(self.setting("drain-timeout", environment=environment), "7")
        self.assertEqual(self.setting("allow-insecure", environment={"ESPALIERD_ALLOW_INSECURE": "true"}), "true")

    def test_what_is_printed_is_a_settings_file(self):
        printed = subprocess.run([harness.ESPALIERD, "--max-queue", "9", "--listen", "127.0.0.1:0", "--print-config"],
                                 capture_output=True, text=True).stdout
        file = self.path("printed", printed)
        self.assertEqual(self.setting("max-queue", "--config", file), "9")
        with Server("--config", file, log_level=None) as server:
            self.assertRegex(server.address, r"127\.0\.0\.1:\d+")

    def test_an_unknown_setting_or_a_wrong_value_ends_the_server(self):
        for text in ("max-queues=5\n", "max-queue=many\n"):
            with Server("--config", self.path("settings", text)) as server:
                self.assertEqual(server.wait(), 2, text)
        with Server(environment={"ESPALIERD_CONCURRENCY": "0"}) as server:
            self.assertEqual(server.wait(), 2)

    def test_a_private_server_does_not_take_a_listening_ones_settings(self):
        done = espalier("verify", query("tiny_max_unsat.vnnlib"), "--network", model("tiny_max.onnx"), "--quiet",
                        environment={"ESPALIERD_CONFIG": "/nowhere", "ESPALIERD_CONCURRENCY": "0"})
        self.assert_answers(done)


if __name__ == "__main__":
    harness.main()
