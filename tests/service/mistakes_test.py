"""What a person reads after a mistake: one line that says what is wrong, in words, and the status of its kind."""

import harness
from harness import Case, espalier, model, query


class Mistakes(Case):
    def ask(self, *more):
        return espalier("verify", query("tiny_max_unsat.vnnlib"), "--network", model("tiny_max.onnx"), "--quiet", *more)

    def assert_line(self, done, code, text):
        self.assert_ends(done, code, text)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertLess(len(done.stderr), 200, done.stderr)

    def test_numbers(self):
        for wrong in ("-3", "abc", "nan"):
            done = self.ask("--timeout", wrong)
            self.assert_ends(done, 2, f"--timeout: '{wrong}' is not a number from 0 on")
            self.assertLess(len(done.stderr), 200)
        done = espalier("health", "--server", "x:1", "--timeout", "0")
        self.assert_ends(done, 2, "--timeout: '0' is not a number above 0")
        self.assert_line(self.ask("--option", "seed=1.5"), 2, "'1.5' is not a whole number")

    def test_numbers_of_the_server(self):
        for wrong, text in (("--memory=-1", "--memory: '-1' is not a number from 0 on"),
                            ("--upload-grace=0", "--upload-grace: '0' is not a number above 0"),
                            ("--keep-jobs-for=2x", "--keep-jobs-for")):
            with harness.Server("--listen", "unix:" + self.path("socket"), wrong) as server:
                self.assertEqual(server.wait(), 2)
                self.assertIn(text, server.log())
                self.assertLess(len(server.log()), 200)

    def test_addresses(self):
        self.assert_line(self.ask("--server", "nonsense"), 3, "server 'nonsense': use HOST:PORT or unix:/PATH")
        self.assert_line(self.ask("--server", "unix:" + self.path("none")), 5, "No such file")

    def test_what_a_private_server_logs_is_not_said_twice(self):
        self.path("bad.onnx", "nothing")
        wrong = espalier("verify", query("tiny_max_unsat.vnnlib"), "--network", self.path("bad.onnx"), "--quiet")
        self.assert_line(wrong, 3, "these bytes are no ONNX model")
        self.assert_line(self.ask("--device", "gpu"), 3, "none of auto, cpu, cuda, cuda:N")


if __name__ == "__main__":
    harness.main()
