// The peers that run in node, in a process and a loop of their own. It reads one JSON
// request a line and answers each with one line:
//
//	{do: "versions"}                     → {node, "iron-session", jose}
//	{do: "check", peer, payload}         → {text, payload}: sealed, then opened again
//	{do: "time",  peer, payload, n}      → {ns}: processor time of n round trips, all threads
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import { sealData, unsealData } from 'iron-session';
import { CompactEncrypt, compactDecrypt } from 'jose';

const secret = webcrypto.getRandomValues(new Uint8Array(32));
const password = Buffer.from(secret).toString('hex');
const key = await webcrypto.subtle.importKey('raw', secret, 'AES-GCM', false, ['encrypt', 'decrypt']);
const header = { alg: 'dir', enc: 'A256GCM' };
const decrypt = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };
const utf8 = { encode: new TextEncoder(), decode: new TextDecoder() };

const peers = {
  'iron-session': {
    seal: (text) => sealData(JSON.parse(text), { password, ttl: 3600 }),
    open: async (text) => JSON.stringify(await unsealData(text, { password, ttl: 3600 })),
  },
  'npm jose dir': {
    seal: (text) => new CompactEncrypt(utf8.encode.encode(text)).setProtectedHeader(header).encrypt(key),
    open: async (text) => utf8.decode.decode((await compactDecrypt(text, key, decrypt)).plaintext),
  },
};

const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;

async function answer(request) {
  if (request.do === 'versions') {
    return { node: process.versions.node, 'iron-session': version('iron-session'), jose: version('jose') };
  }
  const peer = peers[request.peer];
  if (request.do === 'check') {
    const text = await peer.seal(request.payload);
    return { text, payload: await peer.open(text) };
  }
  const before = process.cpuUsage();
  for (let i = 0; i < request.n; i++) {
    await peer.open(await peer.seal(request.payload));
  }
  const used = process.cpuUsage(before);
  return { ns: (used.user + used.system) * 1000 };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n');
}
