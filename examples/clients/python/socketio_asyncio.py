"""A chat in the terminal with python-socketio and asyncio. Each line that you type is a message,
`/bytes 00ff` is one of bytes, and everything that happens is printed as a line of JSON.

    python3 examples/clients/python/socketio_asyncio.py --name ann
"""

import argparse
import asyncio
import base64
import json
import sys
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

client, identified, ended = None, asyncio.Event(), asyncio.Event()
comes_back = True
# What the next connection says: who it is, and the last entry that it has of each room.
handshake = {"since": {}} | ({"token": options.token} if options.token else {})


def show(event, data):
    as_base64 = lambda it: {"base64": base64.b64encode(it).decode()}
    print(json.dumps({"event": event, "data": data}, default=as_base64), flush=True)


async def connect():
    if "token" not in handshake:
        accepted, identity = await client.call("new user", options.name)
        if not accepted:
            leave("refused", identity)


async def connect_error(error):  # a dictionary, if the server has refused the connection
    code = error.get("message") if isinstance(error, dict) else None
    if code and code not in TRY_AGAIN:
        leave("refused", error)


async def disconnect(reason):
    show("disconnect", reason)
    ended.set()


async def closing(it):
    global comes_back
    comes_back = it["reconnect"]
    show("closing", it)


async def welcome(it):
    handshake["epoch"] = it["epoch"]
    if "token" in it:  # a guest's: with it the next connection is the same guest
        handshake["token"] = it["token"]
    for room in it["rooms"]:
        handshake["since"].setdefault(room["room"], room["seq"])
    identified.set()
    show("welcome", it)


async def new_message(it):
    handshake["since"][it["room"]] = it["seq"]
    show("new message", it)


async def missed(it):
    # If it was not recovered, `history` has what was missed, page by page.
    if not it["recovered"]:
        handshake["since"][it["room"]] = it["head"]
    for message in it["messages"]:
        handshake["since"][it["room"]] = message["seq"]
    show("missed", it)


async def send(text):
    msg = bytes.fromhex(text.removeprefix("/bytes")) if text.startswith("/bytes") else text
    message = {"msg": msg, "id": str(uuid.uuid4())}
    while True:
        await identified.wait()
        try:
            return show("stored", await client.call("send message", message))
        except SocketIOError:
            pass  # the connection is lost: the same id again is stored only once


async def type_messages():
    keyboard = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(keyboard)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    async for line in keyboard:
        await send(line.decode().strip())
    leave("left", None)


def leave(event, why):
    global comes_back
    comes_back = False
    show(event, why)
    ended.set()


def new_client():
    """A client for one connection. The library's own reconnection does not come back when the server
    has ended a session over polling, and the same client not before half a minute."""
    it = socketio.AsyncClient(reconnection=False)
    for handler in (connect, connect_error, disconnect, closing, welcome, missed):
        it.on(handler.__name__, handler)
    it.on("new message", new_message)
    return it


async def main():
    global client
    typing = asyncio.create_task(type_messages())
    while comes_back:
        client = new_client()
        ended.clear()
        try:
            await client.connect(
                options.url, transports=options.transports, auth=lambda: handshake
            )
            await ended.wait()
        except ConnectionError:
            pass  # `connect_error` has the reason
        identified.clear()
        await client.disconnect()
        if comes_back:
            await asyncio.sleep(RETRY_SECS)
    typing.cancel()


asyncio.run(main())
