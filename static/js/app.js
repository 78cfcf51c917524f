// Makes the site installable as an app. Without the worker it works as well, only not without a network.
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/service-worker.js").catch((error) => console.info("No offline page:", error));
}
