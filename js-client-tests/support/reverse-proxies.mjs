// Reverse proxies with TLS in front of one server, with the configurations of docs/operations.md.

import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import { startProcess } from "./child-process.mjs";
import { freePort } from "./free-port.mjs";
import { waitUntil } from "./wait-until.mjs";

const DOC = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");

/** The configuration that the page shows in this language. */
function shown(language) {
  const found = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(DOC);
  if (!found) throw new Error(`docs/operations.md shows no ${language}`);
  return found[1];
}

/** Replaces what must be there. */
function replaced(text, replacements) {
  return Object.entries(replacements).reduce((rest, [from, to]) => {
    if (!rest.includes(from)) throw new Error(`docs/operations.md has no ${from}`);
    return rest.replaceAll(from, to);
  }, text);
}

/** HAProxy; `sends` are more words of the line of the server. */
export async function haproxyForThisTest(t, server, { cert, key }, sends = "") {
  const home = await folder(t);
  const [port, pem] = [await freePort(), path.join(home, "chat.pem")];
  await writeFile(pem, (await readFile(cert, "utf8")) + (await readFile(key, "utf8")));
  const text = replaced(shown("haproxy"), {
    "bind :443": `bind 127.0.0.1:${port}`,
    "/etc/haproxy/chat.pem": pem,
    "10.0.0.1:3000": `127.0.0.1:${server.port} ${sends}`,
  });
  const file = path.join(home, "haproxy.cfg");
  await writeFile(file, text);
  return started(t, "/usr/sbin/haproxy", ["-db", "-f", file], { port });
}

/** Caddy. */
export async function caddyForThisTest(t, server, { cert, key }) {
  const home = await folder(t);
  const port = await freePort();
  const text = replaced(shown("caddyfile"), {
    "chat.example.com": `https://localhost:${port}`,
    "/etc/caddy/chat.crt": cert,
    "/etc/caddy/chat.key": key,
    "10.0.0.1:3000": `127.0.0.1:${server.port}`,
  });
  const file = path.join(home, "Caddyfile");
  await writeFile(file, `{\n admin off\n auto_https disable_redirects\n}\n${text}`);
  const env = { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home };
  return started(t, "/usr/bin/caddy", ["run", "--adapter", "caddyfile", "--config", file], {
    port,
    env,
  });
}

/** A proxy that listens. */
async function started(t, program, args, { port, env = {} }) {
  const child = startProcess(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const log = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => log.push(text));
  t.after(() => child.kill("SIGKILL"));
  let ended;
  child.exited.then((end) => (ended = end));
  await waitUntil(`${program} listens`, async () => {
    if (ended) throw new Error(`${program} ended: ${log.join("")}`);
    return isListening(port);
  });
  return { url: `https://localhost:${port}`, port };
}

function isListening(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function folder(t) {
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-proxy-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  return home;
}
