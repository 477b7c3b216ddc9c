"""One command, several servers: the idle one is chosen, a job's commands find its server, and one that is dead hinders nobody."""

import json

import harness
from harness import Case, Server, endless_query, espalier, model, query, verify

NOWHERE = "127.0.0.1:1"


class SeveralServers(Case):
    def serve(self, name):
        return Server("--listen", "127.0.0.1:0", "--data-dir", self.path(name), "--concurrency", "1")

    def submit(self, servers, *flags, file=None, network=None):
        done = espalier("submit", file or query(harness.TINY[0]), "--network", model(network or harness.TINY[1]), "--server", servers,
                        *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def held(self, address):
        return [json.loads(line)["job_id"] for line in espalier("jobs", "--json", "--server", address).stdout.splitlines()]

    def test_models_of_each_server_stand_under_its_address(self):
        with Server("--listen", "unix:" + self.path("a")) as a, Server("--listen", "unix:" + self.path("b")) as b:
            both = f"{a.address},{b.address}"
            uploaded = espalier("models", "--upload", harness.model("tiny_max.onnx"), "--server", b.address).stdout.strip()
            listed = espalier("models", "--server", both).stdout.splitlines()
            self.assertEqual((listed[0], listed[2]), (a.address, b.address))
            self.assertTrue(listed[4].endswith(uploaded), listed)
            shown = espalier("models", uploaded, "--server", both)
            self.assertEqual(shown.returncode, 3, "one of them does not have it")
            self.assertIn("no model", shown.stderr)
            self.assertIn("parameters", shown.stdout)
            added = espalier("models", "--upload", harness.model("tiny_max.onnx"), "--server", both).stdout.split()
            self.assertEqual(added, [a.address, uploaded, b.address, uploaded])

    def test_the_idle_server_is_chosen_and_jobs_are_found_where_they_are(self):
        with self.serve("a") as first, self.serve("b") as second:
            both = f"{first.address},{second.address}"
            busy = self.submit(first.address, "--no-attack", "--threads", "1", file=endless_query(self.folder),
                               network="digits.onnx")
            self.assertTrue(first.wait_for_log("event=started"))
            job = self.submit(both)
            self.assertEqual((self.held(first.address), self.held(second.address)), ([busy], [job]))
            self.assertEqual(espalier("watch", job, "--server", both, "--quiet").stdout.split()[0], "unsat")
            self.assert_answers(verify(both))
            self.assertEqual(json.loads(espalier("jobs", job, "--json", "--server", both).stdout)["job_id"], job)
            listed = espalier("jobs", "--server", both).stdout
            self.assertLess(listed.index(first.address), listed.index(second.address))
            self.assertIn(busy[:8], listed)
            self.assertIn(job[:8], listed)
            cancelled = espalier("cancel", busy, "--server", both)
            self.assertEqual(cancelled.returncode, 0, cancelled.stderr)
            self.assertEqual(espalier("watch", busy, "--server", both, "--quiet").stdout, "cancelled\n")
            unknown = espalier("watch", "0" * 32, "--server", both)
            self.assert_ends(unknown, 3, first.address)
            self.assertIn(second.address, unknown.stderr)

    def test_a_server_that_was_killed(self):
        with self.serve("a") as first, self.serve("b") as second:
            both = f"{first.address},{second.address}"
            lost = self.submit(first.address)
            first.process.kill()
            first.process.wait()
            self.assert_answers(verify(both))
            job = self.submit(both)
            self.assertEqual(self.held(second.address), [job])
            for command in (("watch", lost), ("cancel", lost), ("jobs", lost)):
                self.assert_ends(espalier(*command, "--server", both), 5, first.address)
            listed = espalier("jobs", "--server", both)
            self.assert_ends(listed, 5, first.address)
            self.assertIn(second.address, listed.stdout)
            second.process.kill()
            second.process.wait()
            gone = verify(both)
            self.assert_ends(gone, 5, first.address)
            self.assertIn(second.address, gone.stderr)

    def test_health_asks_one_server(self):
        self.assert_ends(espalier("health", "--server", f"{NOWHERE},{NOWHERE}"), 2, "one server")


if __name__ == "__main__":
    harness.main()
