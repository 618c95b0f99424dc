import { createServer } from "node:http";
import { createApp, createRouter, eventHandler, getQuery, toNodeListener, useSession } from "h3";

const open = (event) => useSession(event, { password: process.env.NUXT_SESSION_PASSWORD, name: "nuxt-session", maxAge: 604800 });

const router = createRouter()
  .get("/login", eventHandler(async (event) => {
    await (await open(event)).update({ username: getQuery(event).name });
    return "Welcome to Node.\n";
  }))
  .get("/", eventHandler(async (event) => `Node knows ${(await open(event)).data.username ?? "nobody"}.\n`));

createServer(toNodeListener(createApp().use(router))).listen(5000);
