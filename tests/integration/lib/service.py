"""sluice.service under the real systemd, in a machine that is booted."""

import json
import pathlib
import re
import time

from .peers import Server
from .proxy import BINARY, SANITIZER
from .timing import wait_for

CONFIG = "etc/sluice/proxy.ini"
DROP_INS = "run/systemd/system/sluice.service.d"
ADDRESS = ("127.0.0.1", 5432)

# A sanitizer wants more than the unit grants, and must not find addresses more
# random than it knows.
SANITIZED = b"__asan_init" in pathlib.Path(BINARY).read_bytes()
FOR_SANITIZERS = """[Service]
ExecStart=
ExecStart=setarch -R /usr/local/bin/sluice -c /etc/sluice/proxy.ini
SystemCallFilter=
LockPersonality=no
MemoryDenyWriteExecute=no
Environment=ASAN_OPTIONS=exitcode=99
"""


class Service:
    """sluice.service, installed and not started."""

    def __init__(self, computer, stage):
        self.computer, self.stage = computer, stage
        self.since = time.time()
        if SANITIZED:
            self.drop_in("zz-sanitizer", FOR_SANITIZERS)

    # Peers, on its loopback.

    def server(self, script=None):
        return self.stage.keep(Server(script, sock=self.computer.host.socket()))

    def connect(self, address=ADDRESS):
        return self.stage.connect(address, sock=self.computer.host.socket())

    def accepts(self, address=ADDRESS):
        try:
            self.connect(address)
            return True
        except ConnectionRefusedError:
            return False

    # Files.

    def configure(self, server, more="", bind="%s:%d" % ADDRESS,
                  host="127.0.0.1", drain="1s"):
        (self.computer.root / CONFIG).write_text(
            f"[global]\ndrain_timeout = {drain}\n{more}\n"
            f"[listener]\nbind = {bind}\n"
            f"[upstream]\nserver = {host}:{server.address[1]}\n")

    def drop_in(self, name, text):
        folder = self.computer.root / DROP_INS
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.conf").write_text(text)
        self.computer.run("systemctl", "daemon-reload")

    # systemctl(1), journalctl(1).

    def systemctl(self, *words):
        return self.computer.run("systemctl", *words, "sluice.service")

    def fails_to(self, *words):
        """What systemctl says that has to fail."""
        code, output = self.computer.try_run("systemctl", *words,
                                             "sluice.service")
        assert code != 0, output
        return output

    def show(self, name):
        return self.systemctl("show", "-P", name).strip()

    def status(self, key):
        """What /proc says of the daemon."""
        text = self.computer.run("cat", f"/proc/{self.show('MainPID')}/status")
        return re.search(rf"^{key}:[ \t]*(.*)", text, re.M)[1]

    def journal(self, *words):
        """What the unit's processes said: [(priority, message)]."""
        self.computer.run("journalctl", "--sync")
        lines = self.computer.run(
            "journalctl", "--unit=sluice", "--output=json", "--quiet",
            f"--since=@{self.since:.6f}", *words).splitlines()
        entries = [json.loads(line) for line in lines]
        # One that has ended already has no name any more.
        return [(int(entry["PRIORITY"]), entry["MESSAGE"])
                for entry in entries if entry.get("_COMM") != "systemd"]

    def wait_for_message(self, pattern, *words):
        """(priority, match) of a message of the daemon."""
        def find():
            for priority, message in self.journal(*words):
                match = re.search(pattern, message)
                if match:
                    return priority, match
            return None

        return wait_for(find, 5, f"a message that matches {pattern}")

    def clear(self):
        self.computer.try_run("systemctl", "stop", "sluice.service")
        self.computer.try_run("systemctl", "reset-failed", "sluice.service")
        messages = [message for _, message in self.journal()]
        self.computer.run("rm", "-rf", "/" + DROP_INS, "/" + CONFIG)
        self.computer.run("systemctl", "daemon-reload")
        for message in messages:
            assert not SANITIZER.search(message), "\n".join(messages)
