"""A chat in the terminal with python-socketio and threads. Each line that you type is a message,
`/bytes 00ff` is one of bytes, and everything that happens is printed as a line of JSON.

    python3 examples/clients/python/socketio_threads.py --name ann
"""

import argparse
import base64
import json
import sys
import threading
import time
import uuid

import socketio
from socketio.exceptions import ConnectionError, SocketIOError

parser = argparse.ArgumentParser()
parser.add_argument("--url", default="http://127.0.0.1:3000")
parser.add_argument("--name", help="comes in as a guest")
parser.add_argument("--token", help="comes in as the user of a token")
parser.add_argument("--transports", nargs="*", help="polling, websocket or, by default, both")
options = parser.parse_args()

RETRY_SECS = 1
# The codes of refusals after which it helps to try again: docs/protocol.md "Codes".
TRY_AGAIN = {"draining", "internal", "too_fast", "unavailable"}

# The library handles each packet in a thread of its own, and mixes up an event and its bytes if the
# second thread overtakes the first. So a thread keeps the interpreter until it waits.
sys.setswitchinterval(1)
client, identified, ended = None, threading.Event(), threading.Event()
lock = threading.Lock()
comes_back = True
# What the next connection says: who it is, and the last entry that it has of each room.
handshake = {"since": {}} | ({"token": options.token} if options.token else {})


def show(event, data):
    as_base64 = lambda it: {"base64": base64.b64encode(it).decode()}
    line = json.dumps({"event": event, "data": data}, default=as_base64) + "\n"
    with lock:
        sys.stdout.write(line)
        sys.stdout.flush()


def seen(room, seq):
    """Also of the events, a later one may be handled first."""
    with lock:
        handshake["since"][room] = max(seq, handshake["since"].get(room, 0))


def connect():
    if "token" not in handshake:
        accepted, identity = client.call("new user", options.name)
        if not accepted:
            leave("refused", identity)


def connect_error(error):  # a dictionary, if the server has refused the connection
    code = error.get("message") if isinstance(error, dict) else None
    if code and code not in TRY_AGAIN:
        leave("refused", error)


def disconnect(reason):
    show("disconnect", reason)
    ended.set()


def closing(it):
    global comes_back
    comes_back = it["reconnect"]
    show("closing", it)


def welcome(it):
    handshake["epoch"] = it["epoch"]
    if "token" in it:  # a guest's: with it the next connection is the same guest
        handshake["token"] = it["token"]
    for room in it["rooms"]:
        handshake["since"].setdefault(room["room"], room["seq"])
    identified.set()
    show("welcome", it)


def new_message(it):
    seen(it["room"], it["seq"])
    show("new message", it)


def missed(it):
    # If it was not recovered, `history` has what was missed, page by page.
    if not it["recovered"]:
        seen(it["room"], it["head"])
    for message in it["messages"]:
        seen(it["room"], message["seq"])
    show("missed", it)


def send(text):
    msg = bytes.fromhex(text.removeprefix("/bytes")) if text.startswith("/bytes") else text
    message = {"msg": msg, "id": str(uuid.uuid4())}
    while comes_back:
        identified.wait(RETRY_SECS)
        try:
            return show("stored", client.call("send message", message))
        except SocketIOError:
            pass  # the connection is lost: the same id again is stored only once


def type_messages():
    for line in sys.stdin:
        send(line.strip())
    leave("left", None)


def leave(event, why):
    global comes_back
    comes_back = False
    show(event, why)
    ended.set()


def new_client():
    """A client for one connection. The library's own reconnection does not come back when the server
    has ended a session over polling, and the same client not before half a minute."""
    it = socketio.Client(reconnection=False)
    for handler in (connect, connect_error, disconnect, closing, welcome, missed):
        it.on(handler.__name__, handler)
    it.on("new message", new_message)
    return it


threading.Thread(target=type_messages, daemon=True).start()
while comes_back:
    client = new_client()
    ended.clear()
    try:
        client.connect(options.url, transports=options.transports, auth=lambda: handshake)
        ended.wait()
    except ConnectionError:
        pass  # `connect_error` has the reason
    identified.clear()
    client.disconnect()
    if comes_back:
        time.sleep(RETRY_SECS)
