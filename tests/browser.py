"""A headless browser without a network, and what tests ask of a page."""

import shutil
import subprocess
from html.parser import HTMLParser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

# Points at image 3 and clicks on the legend, once Bokeh has drawn; then says what is there, shadow trees included.
PROBE = """
<script>
const within = (root) => [...root.querySelectorAll("*")].flatMap((e) => [e, ...(e.shadowRoot ? within(e.shadowRoot) : [])]);
window.addEventListener("load", () => setTimeout(() => {
  const figures = [...Bokeh.documents[0]._all_models.values()].filter((model) => model.type === "Figure");
  const view = Bokeh.index.find_one(figures[0]), points = figures[0].renderers[0].data_source;
  const x = view.frame.x_scale.compute(points.get("x0")[3]), y = view.frame.y_scale.compute(points.get("y0")[3]);
  const surface = view.canvas_view.events_el, box = surface.getBoundingClientRect();
  const at = {clientX: box.left + x, clientY: box.top + y, bubbles: true, composed: true, isPrimary: true};
  for (const kind of ["pointerover", "pointermove"]) surface.dispatchEvent(new PointerEvent(kind, at));
  setTimeout(() => {
    const all = within(document);
    all.find((e) => e.classList.contains("bk-item")).dispatchEvent(new PointerEvent("pointerdown"));
    const found = {
      canvases: all.filter((e) => e.tagName === "CANVAS" && e.width > 500).length,
      tabs: all.filter((e) => e.classList.contains("bk-tab")).map((e) => e.textContent),
      pictures: all.filter((e) => e.tagName === "IMG").map((e) => [e.src, e.naturalWidth, e.parentElement.textContent]),
      drawn: figures[0].renderers.slice(0, 1).map(({glyph}) => [glyph.fill_color.field, glyph.line_color.field])[0],
      fills: [...points.get("fill")],
      edges: [...points.get("edge")],
      muted: figures[0].renderers.map((renderer) => renderer.muted),
    };
    const pre = document.createElement("pre");
    pre.id = "probe";
    pre.textContent = JSON.stringify(found);
    document.body.append(pre);
  }, 1000);
}, 2000));
</script>
"""  # noqa: E501


class Addresses(HTMLParser):
    """Whatever a page refers to outside its scripts."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href")]


def browse(folder, page, *arguments):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", f"--user-data-dir={folder / 'profile'}", "--window-size=1000,900"]
    command += ["--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=8000"]
    done = subprocess.run(
        [*command, *arguments, f"file://{page}"], capture_output=True, text=True, timeout=100, check=True
    )
    return done.stdout
