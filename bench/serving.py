"""A `bitnet serve` to be put under load, and clients that ask it what `bitnet run` has answered."""
import argparse
import dataclasses
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BITNET = ROOT / "build/release/src/cli/bitnet"
TOPICS = ["the capital of France", "a girl and her garden", "what a verb is", "the opposite of hot", "three and four",
          "a dog that could sing", "the sea in winter", "how bread is baked"]
SYSTEM = "You are a helpful assistant who answers in a few plain words and says so when an answer is not known."
STEP_OF_MEMORY = 16 << 20  # of growth: what an allocator may keep


@dataclasses.dataclass
class Request:
    """What is asked, and how `bitnet run` says the same."""

    path: str
    body: dict
    args: list
    answer: str = ""


@dataclasses.dataclass
class Outcome:
    text: str
    is_whole: bool
    n_tokens: int
    n_refused: int
    first: float
    gaps: list
    seconds: float


@dataclasses.dataclass
class Usage:
    rss: int = 0
    own: int = 0
    threads: int = 0
    descriptors: int = 0
    processor_seconds: float = 0.0


class Fault(Exception):
    pass


def make_request(i, rng, ids, lengths=(16, 32, 64), n_repeats=1):
    """A stream to be asked for; its answer has one of the lengths, its prompt that many times what it says."""
    n = rng.choice(lengths)
    body = {"stream": True, "max_tokens": n, "stream_options": {"include_usage": True}, "ignore_eos": True}
    args = ["-n", str(n), "--ignore-eos"]
    body["temperature"] = 0 if i % 3 == 0 else 0.9
    args += ["--temp", str(body["temperature"])]
    if i % 3:
        body |= {"seed": i, "top_p": 0.95}
        args += ["--seed", str(i), "--top-p", "0.95"]
    topic = f"{rng.choice(TOPICS)}, for the {i}th time"
    topic = " and ".join([topic] * n_repeats)
    if ids:
        prompt = [rng.randrange(100, 1000) for _ in range(n_repeats * rng.choice([4, 24, 96]))]
        return Request("/v1/completions", body | {"prompt": prompt}, args + ["--ids", ",".join(map(str, prompt))])
    if i % 2:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"Tell me about {topic}."}]
        return Request("/v1/chat/completions", body | {"messages": messages},
                       args + ["--template", "auto", "--system", SYSTEM, messages[1]["content"]])
    return Request("/v1/completions", body | {"prompt": f"Something about {topic}:"}, args + [f"Something about {topic}:"])


def answer_alone(options, request):
    done = subprocess.run([options.bitnet, "run", "-q", *options.model_args, *request.args], capture_output=True)
    if done.returncode != 0:
        raise Fault(f"bitnet run: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


class Server:
    def __init__(self, options, seconds_between_looks=0.1):
        self.log = tempfile.TemporaryFile("w+")
        # Of a build with AddressSanitizer, which otherwise keeps 256 MB that were given back.
        environment = os.environ | {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}
        self.process = subprocess.Popen([options.bitnet, "serve", *options.model_args, "--port", "0", *options.serve],
                                        stdin=subprocess.DEVNULL, stderr=self.log, env=environment,
                                        start_new_session=True)  # Ctrl-C is for the one who started it
        while not (found := re.search(r"http://([\w.]+):(\d+)", self.said())):
            if self.process.poll() is not None:
                raise Fault(f"bitnet serve ended with {self.process.returncode}: {self.said()}")
            time.sleep(0.02)
        self.address = (found[1], int(found[2]))
        self.seen = []  # when, and the usage then
        self.is_watched = True
        self.seconds_between_looks = seconds_between_looks
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def said(self):
        return pathlib.Path(f"/proc/self/fd/{self.log.fileno()}").read_text()

    def watch(self):
        while self.is_watched:
            self.seen.append((time.monotonic(), self.usage()))
            time.sleep(self.seconds_between_looks)

    def usage(self):
        """What the process has of the system; nothing once it has ended."""
        try:
            process = pathlib.Path(f"/proc/{self.process.pid}")
            status = dict(re.findall(r"^(\w+):\s+(\d+)", (process / "status").read_text(), re.MULTILINE))
            ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:13]  # in the user's mode and the system's
            return Usage(rss=1024 * int(status["VmRSS"]), own=1024 * (int(status["RssAnon"]) + int(status["RssShmem"])),
                         threads=int(status["Threads"]), descriptors=len(os.listdir(process / "fd")),
                         processor_seconds=sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"))
        except (OSError, KeyError):
            return Usage()

    def own_bytes(self):
        """In memory, less what is mapped of the model's file: how much of that is there the system decides."""
        return self.usage().own

    def metrics(self):
        connection = http.client.HTTPConnection(*self.address)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}

    def stop(self):
        self.is_watched = False
        self.watcher.join()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def events(response):
    for line in response:
        line = line.rstrip(b"\r\n")
        if line == b"data: [DONE]":
            return
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            if "error" in event:
                raise Fault(f"in mid-answer: {event['error']}")
            yield event
    raise Fault("a stream ended before it was whole")


def ask(address, request, leave_after):
    """Asks once, again as long as the queue is full; leaves after so many pieces of text, if any are given."""
    begun = time.monotonic()
    n_refused = 0
    while True:
        connection = http.client.HTTPConnection(*address)
        connection.request("POST", request.path, json.dumps(request.body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status == 200:
            break
        said = response.read().decode(errors="replace")
        connection.close()
        if response.status != 429:
            raise Fault(f"{request.path}: {response.status}: {said}")
        n_refused += 1
        time.sleep(int(response.headers["Retry-After"]))
        begun = time.monotonic()  # the times are those of the answer that came
    text, times, n_tokens = "", [], 0
    is_whole = True
    for event in events(response):
        if event.get("usage"):
            n_tokens = event["usage"]["completion_tokens"]
        for choice in event["choices"]:
            piece = choice["text"] if "text" in choice else choice["delta"].get("content") or ""
            if piece:
                times.append(time.monotonic())
                text += piece
        if leave_after is not None and len(times) >= leave_after:
            is_whole = False
            break
    connection.close()
    response.close()
    return Outcome(text, is_whole, n_tokens or len(times), n_refused, times[0] - begun if times else 0.0,
                   [b - a for a, b in zip(times, times[1:])], time.monotonic() - begun)


def count(least):
    def read(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return read


def share(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def add_options_of_server(parser):
    parser.add_argument("--bitnet", default=str(BITNET), help="the executable")
    parser.add_argument("-m", "--model", help="GGUF file; none: the canary")
    parser.add_argument("serve", nargs="*", help="options of bitnet serve, after --")


def check_options(parser, options):
    if not os.access(options.bitnet, os.X_OK):
        parser.error(f"{options.bitnet} is no executable; build it first, or name it with --bitnet")
    options.model_args = ["-m", options.model] if options.model else []
