"""The web page on jobs: its JSON over HTTP, who may read it, and the page itself in a headless Chromium where there is one.

ESPALIER_SCREENSHOTS=FOLDER keeps pictures of what the browser drew.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.error
import urllib.request
import unittest

import harness
from harness import Case, Server, espalier, eventually, model, query
from raw_http2 import field

HOSTILE = """<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>"""
ALICE, ROOT = "alice-token-0123456789", "root-token-0123456789"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def get(server, path, token=None, host=None):
    """(status, text, headers)"""
    request = urllib.request.Request(f"http://{server.http}{path}")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=harness.PATIENCE) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def parts_of(message):
    """[(field number, value)] of a protobuf message; only varints and bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            at, byte = at + 1, message[at]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    parts = []
    while at < len(message):
        number, kind = divmod(varint(), 8)
        value = varint()
        if kind == 2:
            at, value = at + value, message[at:at + value]
        parts.append((number, value))
    return parts


def with_image_input(onnx, shape):
    """The same ONNX model, reading an image that a first node flattens."""
    model_parts = parts_of(onnx)
    graph = parts_of(dict(model_parts)[7])
    name = dict(parts_of(next(value for number, value in graph if number == 11)))[1]
    dims = b"".join(field(1, field(1, size)) for size in shape)
    image = field(1, b"image") + field(2, field(1, field(1, 1) + field(2, dims)))
    flatten = field(1, b"image") + field(2, name) + field(4, b"Flatten")
    graph = [(1, flatten)] + [(n, image if n == 11 else value) for n, value in graph]
    whole = b"".join(field(n, value) for n, value in graph)
    return b"".join(field(n, whole if n == 7 else value) for n, value in model_parts)


class Web(Case):
    def serve(self, *flags):
        return Server("--listen", "unix:" + self.path("socket"), "--data-dir", self.path("data"), "--http-address",
                      "127.0.0.1:0", "--web", *flags)

    def input_shape(self, server, job):
        """Of the job's model; the server looks it up while nobody waits."""
        def shape():
            return json.loads(get(server, f"/web/job?id={job}")[1])["inputShape"]

        self.assertTrue(eventually(lambda: shape() is not None))
        return shape()

    def image_model(self):
        path = pathlib.Path(self.path("image.onnx"))
        with open(model("digits.onnx"), "rb") as file:
            path.write_bytes(with_image_input(file.read(), (1, 1, 8, 8)))
        return str(path)

    def submit(self, server, file, network, *flags):
        """A finished job's number."""
        submitted = espalier("submit", query(file), "--network", network, "--server", server.address, *flags)
        self.assertEqual(submitted.returncode, 0, submitted.stderr)
        job = submitted.stdout.strip()
        client = flags[flags.index("--token-file"):][:2] if "--token-file" in flags else ()
        watched = espalier("watch", job, "--quiet", "--server", server.address, *client)
        self.assertEqual(watched.returncode, 0, watched.stderr)
        return job

    def dom(self, server, hash, picture=None):
        """What the document holds after the page's scripts have run."""
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                   f"--user-data-dir={self.path('browser')}", "--window-size=1000,1250", "--virtual-time-budget=4000"]
        keep = os.environ.get("ESPALIER_SCREENSHOTS")
        if keep and picture:
            subprocess.run([*command, f"--screenshot={keep}/{picture}.png", f"http://{server.http}/web#{hash}"],
                           capture_output=True, timeout=harness.PATIENCE)
        done = subprocess.run([*command, "--dump-dom", f"http://{server.http}/web#{hash}"], capture_output=True, text=True,
                              timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class Json(Web):
    def test_a_finished_job_with_its_events_and_witness(self):
        with self.serve() as server:
            job = self.submit(server, "digits_counterexample.vnnlib", self.image_model(), "--label", HOSTILE)
            status, text, headers = get(server, f"/web/job?id={job}")
            self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            answer = json.loads(text)
            self.assertEqual(answer["job"]["answer"], "ANSWER_SAT")
            self.assertEqual(answer["job"]["label"], HOSTILE)
            self.assertEqual(len(answer["job"]["result"]["witness"]["input"]), 64)
            numbers = [int(event["sequence"]) for event in answer["events"]]
            self.assertEqual(numbers, list(range(1, int(answer["job"]["lastSequence"]) + 1)))
            self.assertIn("finished", answer["events"][-1])
            later = json.loads(get(server, f"/web/job?id={job}&from={numbers[-1]}")[1])["events"]
            self.assertEqual([int(event["sequence"]) for event in later], numbers[-1:])
            self.assertEqual(self.input_shape(server, job), [1, 1, 8, 8])
            with open(query("digits_counterexample.vnnlib")) as file:
                self.assertEqual(get(server, f"/web/query?id={job}")[1], file.read())
            listed = json.loads(get(server, "/web/jobs")[1])["jobs"]
            self.assertEqual([one["jobId"] for one in listed], [job])

    def test_what_is_no_request_is_refused(self):
        with self.serve() as server:
            for path, status in [("/web/job", 404), ("/web/job?id=%27%20OR%201=1", 404), ("/web/jobs?page=x", 400),
                                 ("/web/query?id=../../etc/passwd", 404), ("/web/", 404), ("/web/job?id=%", 404)]:
                self.assertEqual(get(server, path)[0], status, path)

    def test_a_foreign_name_that_points_here_reads_nothing(self):
        with self.serve() as server:
            port = server.http.split(":")[1]
            self.assertEqual(get(server, "/web/jobs", host=f"evil.example:{port}")[0], 403)
            self.assertEqual(get(server, "/web/jobs", host=f"localhost:{port}")[0], 200)

    def test_there_is_no_page_unless_asked_for(self):
        with Server("--listen", "unix:" + self.path("socket"), "--data-dir", self.path("data"), "--http-address",
                    "127.0.0.1:0") as server:
            for path in ("/web", "/web/jobs", "/web/page.js"):
                self.assertEqual(get(server, path)[0], 404)
        base = ["--listen", "unix:" + self.path("socket"), "--web"]
        for flags, text in [(["--data-dir", self.path("d")], "--http-address"),
                            (["--http-address", "127.0.0.1:0"], "--data-dir"),
                            (["--data-dir", self.path("d"), "--http-address", "0.0.0.0:0"], "no TLS")]:
            with Server(*base, *flags) as server:
                self.assertEqual(server.wait(), 2)
                self.assertIn(text, server.log())

    def test_tokens_decide_who_sees_which_job(self):
        tokens = self.path("tokens", f"alice verify {ALICE}\nbob verify bob-token-0123456789\nroot admin {ROOT}\n")
        with self.serve("--token-file", tokens) as server:
            token = self.path("token", ALICE)
            job = self.submit(server, "tiny_max_unsat.vnnlib", model("tiny_max.onnx"), "--token-file", token)
            paths = ["/web/jobs", f"/web/job?id={job}", f"/web/query?id={job}"]
            for path in paths:
                status, text, headers = get(server, path)
                self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
                self.assertNotIn(job, text)
                self.assertEqual(get(server, path, "wrong-token-0123456789")[0], 401)
                self.assertEqual(get(server, path, ALICE)[0], 200)
                self.assertEqual(get(server, path, ROOT)[0], 200)
            self.assertEqual([get(server, path, "bob-token-0123456789")[0] for path in paths], [200, 404, 404])
            self.assertNotIn(job, get(server, paths[0], "bob-token-0123456789")[1])
            self.assertEqual(get(server, "/web")[0], 200)
            self.assertNotIn(ALICE, server.log())


@unittest.skipIf(BROWSER is None, "no Chromium here")
class Browser(Web):
    def search(self, server):
        """A job that ran into its time limit after its search had said something about its bound, twice."""
        seconds = 3
        while True:
            job = self.submit(server, harness.endless_query(self.folder), model("digits.onnx"), "--label", "long", "--timeout",
                              str(seconds), "--no-attack")
            events = json.loads(get(server, f"/web/job?id={job}")[1])["events"]
            if sum("progress" in event for event in events) >= 2:
                return job
            self.assertLess(seconds, harness.PATIENCE)
            seconds *= 3  # the machine is slow: it had no time to

    def test_the_page_draws_jobs_and_takes_no_markup_from_clients(self):
        with self.serve() as server:
            image = self.submit(server, "digits_counterexample.vnnlib", self.image_model(), "--label", HOSTILE)
            small = self.submit(server, "tiny_max_sat.vnnlib", model("tiny_max.onnx"))
            searched = self.search(server)
            self.input_shape(server, image)
            self.input_shape(server, small)
            text = self.dom(server, "", "list")
            self.assertIn(f"#job={image}", text)
            self.assertNotIn("<img", text)
            self.assertIn("&lt;img", text)
            self.assertIn("<title>Espalier jobs</title>", text)
            text = self.dom(server, f"job={image}", "image")
            self.assertEqual(text.count("<canvas"), 3)
            self.assertIn("original: the box's centre", text)
            self.assertNotIn("<img", text)
            text = self.dom(server, f"job={small}", "table")
            self.assertNotIn("<canvas", text)
            self.assertIn("X_0", text)
            text = self.dom(server, f"job={searched}", "curve")
            self.assertRegex(text, r'<path d="M[^"]*" class="curve"')
            self.assertIn('class="verdict unknown"', text)

    def test_a_token_is_asked_for(self):
        tokens = self.path("tokens", f"alice verify {ALICE}\n")
        with self.serve("--token-file", tokens) as server:
            self.assertIn('type="password"', self.dom(server, "", "token"))


class Files(unittest.TestCase):
    def test_nothing_comes_from_elsewhere(self):
        folder = pathlib.Path(harness.ROOT) / "server/http/web"
        for name in ("page.html", "page.css", "page.js"):
            text = (folder / name).read_text().replace("http://www.w3.org/2000/svg", "")
            self.assertIsNone(re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write|eval\(", text), name)


if __name__ == "__main__":
    harness.main()
