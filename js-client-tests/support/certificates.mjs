// Certificates of an authority of the tests, made with openssl.

import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

export class Authority {
  #folder;

  async start() {
    this.#folder = await mkdtemp(path.join(tmpdir(), "roomcast-certificates-"));
    await this.#openssl(`req -x509 ${KEY} -keyout ca.key -out ca.crt -subj /CN=authority -days 2`);
    /** What a client must trust. */
    this.certificate = await readFile(this.path("ca.crt"), "utf8");
    return this;
  }

  path(name) {
    return path.join(this.#folder, name);
  }

  /** A certificate for these names: the paths of its files. */
  async issue(name, names = "DNS:localhost,IP:127.0.0.1") {
    await writeFile(this.path("names"), `subjectAltName=${names}\n`);
    await this.#openssl(`req ${KEY} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`);
    await this.#openssl(
      `x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out ${name}.crt -days 2 -extfile names`,
    );
    return { cert: this.path(`${name}.crt`), key: this.path(`${name}.key`) };
  }

  async end() {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #openssl(command) {
    return run("openssl", command.split(" "), { cwd: this.#folder });
  }
}

/** Replaces a certificate's files by another's, as programs that renew them do. */
export async function replaceCertificate(old, by) {
  for (const file of ["cert", "key"]) {
    await copyFile(by[file], `${old[file]}.next`);
    await rename(`${old[file]}.next`, old[file]);
  }
}
