"""A chat in the terminal with `websockets`, without Socket.IO. Each line that you type is a message,
`/bytes 00ff` is one of bytes, and everything that happens is printed as a line of JSON.

    python3 examples/clients/python/plain_websocket.py --name ann
"""

import argparse
import asyncio
import base64
import itertools
import json
import sys
import uuid
from urllib.parse import quote, urlencode

from websockets import ConnectionClosed, InvalidHandshake, connect

parser = argparse.ArgumentParser()
parser.add_argument("--url", default="ws://127.0.0.1:3000/ws")
parser.add_argument("--name", help="comes in as a guest")
parser.add_argument("--token", help="comes in as the user of a token")
options = parser.parse_args()

RECONNECT_SECS = 1
# What the next connection says: who it is, and the last entry that it has of each room.
token, epoch, since = options.token, None, {}
numbers = itertools.count(1)
requests = {}
typed, unsent = asyncio.Queue(), None


def show(event, data):
    print(json.dumps({"event": event, "data": data}), flush=True)


def address():
    seen = ",".join(f"{quote(room, safe='')}:{seq}" for room, seq in since.items())
    handshake = {"token": token, "epoch": epoch, "since": seen}
    return f"{options.url}?{urlencode({key: it for key, it in handshake.items() if it})}"


async def request(socket, event, data):
    """Sends a request, and waits for its answer."""
    number = next(numbers)
    requests[number] = answer = asyncio.get_running_loop().create_future()
    await socket.send(json.dumps({"event": event, "data": data, "ack": number}))
    return await answer


def take(frame):
    global token, epoch
    if "ack" in frame:
        requests.pop(frame["ack"]).set_result(frame)
        return
    event, data = frame["event"], frame.get("data")
    if event == "welcome":
        token, epoch = data.get("token", token), data["epoch"]
        for room in data["rooms"]:
            since.setdefault(room["room"], room["seq"])
    elif event == "new message":
        since[data["room"]] = data["seq"]
    elif event == "missed":
        # If it was not recovered, `history` has what was missed, page by page.
        if not data["recovered"]:
            since[data["room"]] = data["head"]
        for message in data["messages"]:
            since[data["room"]] = message["seq"]
    show(event, data)


async def receive(socket):
    async for text in socket:
        take(json.loads(text))


async def type_messages():
    while line := await asyncio.to_thread(sys.stdin.readline):
        text = line.strip()
        raw = text.startswith("/bytes") and bytes.fromhex(text.removeprefix("/bytes"))
        msg = {"base64": base64.b64encode(raw).decode()} if raw else text
        await typed.put({"msg": msg, "id": str(uuid.uuid4())})
    await typed.put(None)


async def talk(socket):
    """Sends what was typed, until the input ends."""
    global unsent
    if not token:
        answer = await request(socket, "new user", options.name)
        if not answer["ok"]:
            sys.exit(answer["message"])
    while unsent := unsent or await typed.get():
        # If the connection breaks here, the next one repeats it: the same id is stored only once.
        show("stored", await request(socket, "send message", unsent))
        unsent = None


async def main():
    typing = asyncio.create_task(type_messages())
    while True:
        try:
            async with connect(address()) as socket:
                receiving = asyncio.create_task(receive(socket))
                talking = asyncio.create_task(talk(socket))
                await asyncio.wait([receiving, talking], return_when=asyncio.FIRST_COMPLETED)
                if talking.done():
                    return talking.result()
                talking.cancel()
                await receiving
                show("disconnect", socket.close_code)
        except (OSError, ConnectionClosed, InvalidHandshake) as error:
            show("disconnect", str(error))
        await asyncio.sleep(RECONNECT_SECS)


asyncio.run(main())
