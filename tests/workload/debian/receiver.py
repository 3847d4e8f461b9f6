"""Takes alerts over HTTP, and writes each down with the time of day at which it came: receiver.py PORT FILE."""

import http.server
import json
import sys
import time


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes whatever is posted to /alerts, if it is JSON."""

    def do_POST(self):
        came_ms = int(time.time() * 1000)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/alerts" or self.headers["Content-Type"] != "application/json":
            self.send_error(400)
            return
        with open(sys.argv[2], "a", encoding="utf-8") as file:
            json.dump({"came_ms": came_ms, "alert": json.loads(body)}, file)
            file.write("\n")
        self.send_response(204)
        self.end_headers()


server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print("ready", flush=True)
server.serve_forever()
