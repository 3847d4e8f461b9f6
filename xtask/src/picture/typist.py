"""Types commands into a shell on a terminal of its own and records what the terminal shows, as an asciicast (version 2).

typist.py RECORDING COLUMNS ROWS, with one command in each line of standard input. A line that begins with a space is a pause in seconds,
or the name of a marker.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

PROMPT = "root@web-1:~# "
# Seconds between two keys: a person who types fast.
KEY = 0.09
# Seconds that the longest command may take.
LIMIT = 240


class Terminal:
    def __init__(self, recording, columns, rows):
        environment = {
            "HOME": "/root",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PS1": PROMPT,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
        }
        self.process, self.line = pty.fork()
        if self.process == 0:
            os.chdir("/root")
            os.execve("/bin/bash", ["bash", "--noprofile", "--norc", "-i"], environment)
        fcntl.ioctl(self.line, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.recording, self.begin, self.shown = recording, time.monotonic(), ""
        self.write({"version": 2, "width": columns, "height": rows})

    def write(self, what):
        self.recording.write(json.dumps(what, ensure_ascii=False) + "\n")

    def now(self):
        return round(time.monotonic() - self.begin, 3)

    def mark(self, name):
        self.write([self.now(), "m", name])

    def take(self, seconds):
        """Records what is shown within this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.line], [], [], left)[0]:
                text = os.read(self.line, 65536).decode()
                self.shown += text
                self.write([self.now(), "o", text])

    def until_prompt(self):
        end = time.monotonic() + LIMIT
        while PROMPT not in self.shown:
            if time.monotonic() > end:
                sys.exit(f"typist: no prompt for {LIMIT} s, but: {self.shown!r}")
            self.take(0.05)
        self.shown = ""

    def type(self, command):
        for key in command:
            os.write(self.line, key.encode())
            self.take(KEY)
        self.shown = ""
        os.write(self.line, b"\n")
        entered = time.monotonic()
        self.until_prompt()
        print(f"typist: {time.monotonic() - entered:.1f} s: {command}", flush=True)


def main():
    path, columns, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(path, "w", encoding="utf-8") as recording:
        terminal = Terminal(recording, columns, rows)
        terminal.until_prompt()
        for line in sys.stdin.read().splitlines():
            if not line.startswith(" "):
                terminal.type(line)
            elif line[1:].isalpha():
                terminal.mark(line[1:])
            else:
                terminal.take(float(line))


main()
