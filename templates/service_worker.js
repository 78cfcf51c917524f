{% load static %}// Shows a page of our own when there is no network. It keeps that page and what it is drawn with, and nothing
// else: no page of a person is ever stored on the device.
const NAME = "offline";
const PAGE = "{% url "offline" %}";
const KEPT = [PAGE, "{% static "css/offline.css" %}", "{% static "img/logo.svg" %}"];

async function keep() {
  await caches.delete(NAME);
  const cache = await caches.open(NAME);
  await cache.addAll(KEPT.map((address) => new Request(address, { cache: "reload" })));
}

self.addEventListener("install", (event) => event.waitUntil(keep().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(PAGE)));
  } else if (KEPT.includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(() => caches.match(request)));
  }
});
