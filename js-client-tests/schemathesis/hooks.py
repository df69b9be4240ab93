"""What JSON Schema cannot say about requests of the API: texts with rules, and keys that depend on
each other."""

import string

import schemathesis
from hypothesis import strategies as st

PLAIN = string.ascii_letters + string.digits


def plain(size, form="{}"):
    return st.text(PLAIN, min_size=1, max_size=size).map(form.format)


FORMATS = {
    "user-name": plain(64),
    "guest-name": plain(32),
    "room-name": plain(64),
    "room-topic": plain(250),
    "name-query": plain(64),
    "event-name": plain(100, "e:{}"),
    "message-id": plain(64),
    "space": st.just("/"),
    "space-or-all": st.sampled_from(["/", "*"]),
    "connection": st.just("5f3a9c01.c1a"),
    "token": plain(64),
    "token-id": plain(256),
    "revocation": plain(64, "jti:{}") | plain(64, "user:{}"),
    "event-id": st.just("msg_41f2b6d09c3a_17"),
    "webhook-name": st.just("audit"),
}

for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)
