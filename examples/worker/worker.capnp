using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "origin", external = (address = "127.0.0.1:8081", http = ())),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "@signet-go/edge", esModule = embed "node_modules/@signet-go/edge/signet.js"),
  ],
  compatibilityDate = "2026-01-01",
  bindings = [
    (name = "SIGNET_EDGE_KEYS", fromEnvironment = "SIGNET_EDGE_KEYS"),
    (name = "ORIGIN", service = "origin"),
  ],
);
