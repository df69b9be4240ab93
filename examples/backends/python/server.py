"""A back end in Python, with the standard library. It knows users by their session cookie, answers the
event `add` and tells everybody, and publishes over the HTTP API when somebody orders.

    python3 examples/backends/python/server.py
"""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("ROOMCAST_SECRET", "a secret of at least 24 bytes").encode()
PORT = int(os.environ.get("PORT", "8001"))
ROOMCAST_URL = os.environ.get("ROOMCAST_URL", "http://127.0.0.1:3000")
API_KEY = os.environ.get("ROOMCAST_KEY", "rcast_an-example-of-a-key")
# The users by the cookie that the application has given them.
SESSIONS = {"session=of-ann": "ann"}
# Requests that are older, or have another clock, are refused, so that none can be repeated.
TOLERATED_SECONDS = 300


def is_signed(headers, body):
    """Whether Roomcast has sent this: the Standard Webhooks specification."""
    identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERATED_SECONDS:
        return False
    signed = f"{identity}.{timestamp}.".encode() + body
    digest = hmac.new(SECRET, signed, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, signature) for signature in given)


def answer(call):
    if call["type"] == "connect":
        user = SESSIONS.get(call["headers"].get("cookie"))
        return {"identity": {"user": user}} if user else {}  # without a session: a guest
    if call["type"] == "event" and call["event"] == "add":
        return add(call)
    return {}


def add(call):
    args = call["args"]
    if not all(type(arg) in (int, float) for arg in args):
        return {"refuse": {"code": "not_numbers", "message": "`add` takes numbers"}}
    told = {"event": "sum", "args": [sum(args)], "to": {"space": True}, "except": call["connection"]}
    return {"ack": [sum(args)], "do": [{"emit": told}]}


def order():
    """Tells everybody about an order, from outside of any event."""
    item = {"event": "order:created", "args": [{"at": time.time()}], "to": {"space": True}}
    request = urllib.request.Request(
        f"{ROOMCAST_URL}/api/v1/emit",
        json.dumps({"items": [item]}).encode(),
        {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5):
            return 204
    except urllib.error.URLError:
        return 502


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Roomcast keeps its connections

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/orders":
            self.send_response(order())
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        signed = is_signed(self.headers, body)
        content = json.dumps(answer(json.loads(body))).encode() if signed else b""
        self.send_response(200 if signed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    print(f"http://127.0.0.1:{PORT}", flush=True)
    server.serve_forever()
