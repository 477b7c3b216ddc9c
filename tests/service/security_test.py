"""TLS, client certificates, tokens and roles: a real server, the real client, both misused."""

import signal

import harness
from harness import Authority, Case, Server, espalier, model, query, verify

ALICE, BOB, ROOT_TOKEN = "alice-0123456789abcdef", "bob-0123456789abcdef0", "root-0123456789abcdef"


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.certificate, self.key = self.authority.sign("server")
        self.tls = ["--tls-cert", self.certificate, "--tls-key", self.key]

    def test_a_client_that_checks_the_certificate_is_served(self):
        with Server("--listen", "127.0.0.1:0", *self.tls) as server:
            self.assert_answers(verify(server.address, "--tls-ca", self.authority.certificate))
            self.assertTrue(server.wait_for_log("tls=yes"))

    def test_plain_text_and_a_foreign_authority_fail(self):
        stranger = Authority(self.folder, "stranger")
        with Server("--listen", "127.0.0.1:0", *self.tls) as server:
            self.assertEqual(verify(server.address).returncode, 5)
            self.assertEqual(verify(server.address, "--tls-ca", stranger.certificate).returncode, 5)
            self.assertEqual(verify(server.address, "--tls").returncode, 5)  # no system authority signed it
            self.assert_answers(verify(server.address, "--tls-ca", self.authority.certificate))

    def test_mutual_tls_wants_a_certificate_of_its_authority(self):
        stranger = Authority(self.folder, "stranger")
        good, bad = self.authority.sign("alice"), stranger.sign("mallory")
        flags = [*self.tls, "--tls-client-ca", self.authority.certificate, "--data-dir", self.path("data")]
        with Server("--listen", "127.0.0.1:0", *flags) as server:
            trust = ["--tls-ca", self.authority.certificate]
            self.assertEqual(verify(server.address, *trust).returncode, 5)
            self.assertEqual(verify(server.address, *trust, "--tls-cert", bad[0], "--tls-key", bad[1]).returncode, 5)
            mine = [*trust, "--tls-cert", good[0], "--tls-key", good[1]]
            self.assert_answers(verify(server.address, *mine))
            job = espalier("submit", query("tiny_max_unsat.vnnlib"), "--network", model("tiny_max.onnx"),
                           "--server", server.address, *mine).stdout.strip()
            shown = espalier("jobs", job, "--json", "--server", server.address, *mine).stdout
            self.assertIn("certificate:alice", shown)

    def test_a_token_file_can_name_certificates(self):
        root, other = self.authority.sign("root"), self.authority.sign("other")
        tokens = self.path("tokens", f"root admin certificate\nalice verify {ALICE}\n")
        flags = [*self.tls, "--tls-client-ca", self.authority.certificate, "--token-file", tokens]
        with Server("--listen", "127.0.0.1:0", *flags) as server:
            trust = ["--tls-ca", self.authority.certificate]
            self.assert_answers(verify(server.address, *trust, "--tls-cert", root[0], "--tls-key", root[1]))
            listed_nowhere = [*trust, "--tls-cert", other[0], "--tls-key", other[1]]
            self.assert_ends(verify(server.address, *listed_nowhere), 8, "asks for a token")
            token = self.path("alice", ALICE + "\n")
            self.assert_answers(verify(server.address, *listed_nowhere, "--token-file", token))

    def test_files_that_do_not_fit_end_the_server_at_once(self):
        other_key = self.authority.sign("other")[1]
        for flags, text in [
            (["--tls-cert", self.certificate], "belong together"),
            (["--tls-cert", self.certificate, "--tls-key", other_key], "--tls-key"),
            (["--tls-cert", self.path("none"), "--tls-key", self.key], "--tls-cert"),
            ([*self.tls, "--tls-client-ca", self.path("none")], "--tls-client-ca"),
            (["--tls-client-ca", self.authority.certificate], "needs --tls-cert"),
        ]:
            with Server("--listen", "127.0.0.1:0", *flags) as server:
                self.assertIsNone(server.address, flags)
                self.assertEqual(server.wait(), 2, flags)
                self.assertIn(text, server.log())

    def test_off_loopback_only_with_tls_or_when_told_so(self):
        with Server("--listen", "0.0.0.0:0") as server:
            self.assertEqual(server.wait(), 2)
            self.assertIn("--tls-cert", server.log())
            self.assertIn("--allow-insecure", server.log())
        with Server("--listen", "0.0.0.0:0", *self.tls) as server:
            port = server.address.split(":")[-1]
            self.assert_answers(verify("127.0.0.1:" + port, "--tls-ca", self.authority.certificate))
        with Server("--listen", "0.0.0.0:0", "--allow-insecure") as server:
            self.assertIsNotNone(server.address)
            self.assertTrue(server.wait_for_log("event=insecure"))


class Tokens(Case):
    def setUp(self):
        super().setUp()
        self.tokens = self.path("tokens", f"# clients\nalice verify {ALICE}\nbob verify {BOB}\nroot admin {ROOT_TOKEN}\n")
        self.flags = ["--listen", "unix:" + self.path("socket"), "--token-file", self.tokens]
        self.as_alice, self.as_bob, self.as_root = (
            ["--token-file", self.path(name, token + "\n")]
            for name, token in [("alice", ALICE), ("bob", BOB), ("root", ROOT_TOKEN)])

    def test_only_known_tokens_are_served_and_none_is_in_the_log(self):
        with Server(*self.flags) as server:
            self.assert_ends(verify(server.address), 8, "asks for a token")
            wrong = self.path("wrong", ALICE[:-1] + "0\n")
            self.assert_ends(verify(server.address, "--token-file", wrong), 8, "does not know the token")
            self.assert_answers(verify(server.address, *self.as_alice))
            self.assert_answers(verify(server.address, environment={"ESPALIER_TOKEN_FILE": self.as_bob[1]}))
            self.assertTrue(server.wait_for_log("client=alice"))
            self.assertTrue(server.wait_for_log("code=UNAUTHENTICATED"))
            self.assertNotIn(ALICE[:8] + "0", server.log())

    def test_a_job_belongs_to_who_submitted_it(self):
        with Server(*self.flags, "--data-dir", self.path("data")) as server:
            at = ["--server", server.address]
            submitted = espalier("submit", query("tiny_max_unsat.vnnlib"), "--network", model("tiny_max.onnx"), *at,
                                 *self.as_alice)
            job = submitted.stdout.strip()
            self.assertEqual(submitted.returncode, 0, submitted.stderr)
            self.assert_answers(espalier("watch", job, "--quiet", *at, *self.as_alice))
            for command in (["jobs", job], ["watch", job, "--quiet"], ["cancel", job], ["jobs", job, "--delete"]):
                self.assert_ends(espalier(*command, *at, *self.as_bob), 8, "belongs to another client")
                self.assert_ends(espalier(*command, *at), 8, "asks for a token")
            lists = {name: espalier("jobs", "--json", *at, *flags).stdout
                     for name, flags in [("alice", self.as_alice), ("bob", self.as_bob), ("root", self.as_root)]}
            self.assertIn(job, lists["alice"])
            self.assertNotIn(job, lists["bob"])
            self.assertIn(job, lists["root"])
            self.assertEqual(espalier("jobs", job, "--delete", *at, *self.as_root).returncode, 0)
            self.assertNotIn(job, espalier("jobs", "--json", *at, *self.as_alice).stdout)

    def test_models_are_listed_and_deleted_by_administrators(self):
        with Server(*self.flags, "--data-dir", self.path("data")) as server:
            at = ["--server", server.address]
            added = espalier("models", "--upload", model("tiny_max.onnx"), *at, *self.as_alice)
            digest = added.stdout.strip()
            self.assertEqual((added.returncode, len(digest)), (0, 64), added.stderr)
            for command in (["models"], ["models", digest, "--delete"]):
                self.assert_ends(espalier(*command, *at, *self.as_alice), 8, "only an administrator")
                self.assert_ends(espalier(*command, *at), 8, "asks for a token")
            self.assertIn(digest, espalier("models", digest, *at, *self.as_bob).stdout)  # who knows it may use it
            self.assertIn(digest, espalier("models", "--json", *at, *self.as_root).stdout)
            self.assertEqual(espalier("models", digest, "--delete", *at, *self.as_root).returncode, 0)
            self.assert_ends(espalier("models", digest, *at, *self.as_bob), 3, "no model")

    def test_one_clients_request_id_says_nothing_about_anothers(self):
        with Server(*self.flags, "--data-dir", self.path("data")) as server:
            jobs = [espalier("submit", query("tiny_max_unsat.vnnlib"), "--network", model("tiny_max.onnx"),
                             "--server", server.address, "--request-id", "same", *who).stdout.strip()
                    for who in (self.as_alice, self.as_bob, self.as_alice)]
            self.assertEqual(jobs[0], jobs[2])
            self.assertNotEqual(jobs[0], jobs[1])

    def test_sighup_reads_the_file_again_and_a_broken_one_changes_nothing(self):
        with Server(*self.flags) as server:
            self.path("tokens", "alice verify\n")
            server.signal(signal.SIGHUP)
            self.assertTrue(server.wait_for_log("line 1"))
            self.assert_answers(verify(server.address, *self.as_bob))
            self.path("tokens", f"alice verify {ALICE}\n")
            server.signal(signal.SIGHUP)
            self.assertTrue(server.wait_for_log('what="read again"'))
            self.assert_answers(verify(server.address, *self.as_alice))
            self.assert_ends(verify(server.address, *self.as_bob), 8, "does not know the token")

    def test_a_file_that_cannot_be_used_ends_the_server(self):
        for text in ("", "alice verify short\n", f"alice owner {ALICE}\n", f"a verify {ALICE}\nb verify {ALICE}\n"):
            self.path("tokens", text)
            with Server(*self.flags) as server:
                self.assertEqual(server.wait(), 1, text)
                self.assertIn("token file", server.log())
                self.assertNotIn(ALICE, server.log())

    def test_the_client_does_not_send_its_token_in_the_clear(self):
        done = verify("198.51.100.1:1", *self.as_alice)
        self.assert_ends(done, 3, "unencrypted")

    def test_a_batch_shows_its_token_too(self):
        listed = self.path("instances.csv", f"{model('tiny_max.onnx')},{query('tiny_max_unsat.vnnlib')},10\n")
        with Server(*self.flags) as server:
            at = ["batch", listed, "--results-dir", self.path("results"), "--quiet", "--server", server.address]
            self.assertEqual(espalier(*at, "--patience", "1").returncode, 5)
            done = espalier(*at, *self.as_alice)
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    harness.main()
