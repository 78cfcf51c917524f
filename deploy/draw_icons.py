"""Draw the PNG icons of the installable app from the logo; run it again when `static/img/logo.svg` changes.

    CHROMIUM=… .venv/bin/python deploy/draw_icons.py

A browser draws what an SVG means; set-up for the tests brings one.
"""

import os
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "static" / "img"
CHROMIUM = os.environ.get("CHROMIUM") or str(ROOT / ".local" / "chromium" / "chromium")
SAFE_SCALE = 0.8  # a phone may cut all that is outside a circle of this share
ICONS = {"icon-192": 192, "icon-512": 512, "icon-maskable-512": 512, "icon-apple-180": 180}


def main() -> None:
    logo = (IMAGES / "logo.svg").read_text()
    square = logo.replace('rx="8"', "", 1)  # the phone gives it its shape
    head, _, drawing = square.partition("/>")
    maskable = (
        f'{head}/><g transform="translate(16 16) scale({SAFE_SCALE}) translate(-16 -16)">'
        f"{drawing.removesuffix('</svg>').strip()}</g></svg>"
    )
    drawings = {"icon-maskable-512": maskable, "icon-apple-180": maskable}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, size in ICONS.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            svg = drawings.get(name, logo).replace("<svg ", f'<svg width="{size}" height="{size}" ', 1)
            page.set_content(f"<style>*{{margin:0}}svg{{display:block}}</style>{svg}")
            page.screenshot(path=IMAGES / f"{name}.png", omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
