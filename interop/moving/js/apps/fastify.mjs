// Fastify with @fastify/secure-session, whose keys are configured as base64 text.
import Fastify from "fastify";
import secureSession from "@fastify/secure-session";
import { host, port, secrets, version } from "./serve.mjs";

const app = Fastify();
await app.register(secureSession, { key: secrets, cookie: { path: "/", secure: true } });
app.get("/old/version", () => version("@fastify/secure-session", "fastify"));
app.get("/old/get", (req) => req.session.data());
app.post("/old/set", (req) => { for (const [name, value] of Object.entries(req.body)) req.session.set(name, value); return {}; });
app.post("/old/logout", (req) => { req.session.delete(); return {}; });
await app.listen({ host, port: Number(port) });
