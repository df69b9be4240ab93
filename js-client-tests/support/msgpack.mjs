// A MessagePack codec for JSON values and bytes (https://msgpack.org), and `/ws` over it.

import { WsClient, wsJson } from "./ws.mjs";

/**
 * The shortest encoding of a JSON value that may contain bytes. Keys with `undefined` are omitted,
 * as in JSON.
 */
export function pack(value) {
  if (value === null || value === undefined) return Buffer.from([0xc0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === "number") return Number.isSafeInteger(value) ? whole(value) : float(value);
  if (typeof value === "string") return text(Buffer.from(value));
  if (ArrayBuffer.isView(value)) return Buffer.concat([sized(BIN, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([sized(ARRAY, value.length), ...value.map(pack)]);
  const pairs = Object.entries(value).filter(([, it]) => it !== undefined);
  return Buffer.concat([sized(MAP, pairs.length), ...pairs.flat().map(pack)]);
}

/** The one value that `bytes` encode; trailing bytes are an error. */
export function unpack(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value();
  if (reader.at !== bytes.length) throw new Error(`${bytes.length - reader.at} bytes too many`);
  return value;
}

/** The markers of each kind: the short form with its maximum length, and the longer forms. */
const STR = { short: [0xa0, 31], 8: 0xd9, 16: 0xda, 32: 0xdb };
const BIN = { 8: 0xc4, 16: 0xc5, 32: 0xc6 };
const ARRAY = { short: [0x90, 15], 16: 0xdc, 32: 0xdd };
const MAP = { short: [0x80, 15], 16: 0xde, 32: 0xdf };

function sized({ short: [base, most] = [0, -1], 8: one, 16: two, 32: four }, length) {
  if (length <= most) return Buffer.from([base | length]);
  if (one !== undefined && length <= 0xff) return Buffer.from([one, length]);
  if (length <= 0xffff) return Buffer.from([two, length >> 8, length & 0xff]);
  const head = Buffer.from([four, 0, 0, 0, 0]);
  head.writeUInt32BE(length, 1);
  return head;
}

function text(bytes) {
  return Buffer.concat([sized(STR, bytes.length), bytes]);
}

function whole(number) {
  if (0 <= number && number < 0x80) return Buffer.from([number]);
  if (-32 <= number && number < 0) return Buffer.from([0x100 + number]);
  const bytes = Buffer.alloc(9, number < 0 ? 0xd3 : 0xcf);
  if (number < 0) bytes.writeBigInt64BE(BigInt(number), 1);
  else bytes.writeBigUInt64BE(BigInt(number), 1);
  return bytes;
}

function float(number) {
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(number, 1);
  return bytes;
}

class Reader {
  at = 0;
  #bytes;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  value() {
    const first = this.#unsigned(1);
    if (first < 0x80) return first;
    if (first < 0x90) return this.#map(first & 0x0f);
    if (first < 0xa0) return this.#array(first & 0x0f);
    if (first < 0xc0) return this.#take(first & 0x1f).toString();
    if (0xe0 <= first) return first - 0x100;
    return this.#long(first);
  }

  #long(first) {
    switch (first) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#unsigned(1 << (first - 0xc4)));
      case 0xca:
        return this.#take(4).readFloatBE();
      case 0xcb:
        return this.#take(8).readDoubleBE();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (first - 0xcc));
      case 0xcf:
        return Number(this.#take(8).readBigUInt64BE());
      case 0xd0:
        return this.#take(1).readInt8();
      case 0xd1:
        return this.#take(2).readInt16BE();
      case 0xd2:
        return this.#take(4).readInt32BE();
      case 0xd3:
        return Number(this.#take(8).readBigInt64BE());
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#take(this.#unsigned(1 << (first - 0xd9))).toString();
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 << (first - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 << (first - 0xde)));
      default:
        throw new Error(`no JSON value starts with 0x${first.toString(16)}`);
    }
  }

  #array(length) {
    return Array.from({ length }, () => this.value());
  }

  #map(length) {
    const pairs = this.#array(2 * length);
    const keys = pairs.filter((_, at) => at % 2 === 0);
    return Object.fromEntries(keys.map((key, at) => [key, pairs[2 * at + 1]]));
  }

  #unsigned(length) {
    return this.#take(length).readUIntBE(0, length);
  }

  #take(length) {
    const end = this.at + length;
    if (this.#bytes.length < end) throw new Error(`cut off: ${end} of ${this.#bytes.length} bytes`);
    const part = this.#bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }
}

class MsgpackClient extends WsClient {
  encode(object) {
    return pack(object);
  }

  decode(frame, isBinary) {
    if (!isBinary) throw new Error(`a text frame arrived on a MessagePack connection: ${frame}`);
    return unpack(frame);
  }
}

/** Plain WebSocket with the subprotocol `roomcast.msgpack`. */
export const wsMsgpack = {
  ...wsJson,
  label: "plain WebSocket, msgpack",
  msgpack: true,
  ClientClass: MsgpackClient,
  offer: ({ protocols = [] } = {}) => ({ protocols: ["roomcast.msgpack", ...protocols] }),
};
