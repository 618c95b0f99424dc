// h3's useSession, as Nuxt and Nitro use it.
import { createServer } from "node:http";
import { createApp, createRouter, eventHandler, readBody, toNodeListener, useSession } from "h3";
import { host, port, secrets, version } from "./serve.mjs";

const open = (event) => useSession(event, { password: secrets[0], name: "nuxt-session", maxAge: 3600 });
const router = createRouter()
  .get("/old/version", eventHandler(() => version("h3")))
  .get("/old/get", eventHandler(async (event) => (await open(event)).data))
  .post("/old/set", eventHandler(async (event) => (await (await open(event)).update(await readBody(event))).data))
  .post("/old/logout", eventHandler(async (event) => { await (await open(event)).clear(); return {}; }));
createServer(toNodeListener(createApp().use(router))).listen(Number(port), host);
