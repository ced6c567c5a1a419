"""The built site in Chromium: from disk and below any path, at any width, without any other host."""

import gzip
import json
import os
import re
import shutil
import threading
import time
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
# of the package its script alone: what opens the pages here is Selenium
AXE = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js")
PAGES = sorted(
    p.relative_to(SITE).as_posix()
    for p in SITE.rglob("*.html")
    if p != SITE / "index.html"  # leads on to the front page
    and p.parent.name != "_static"  # the theme's templates
)
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = """--headless=new --no-sandbox --disable-gpu --no-first-run --disable-sync
--disable-background-networking --disable-component-update""".split()
SOURCES = [
    ROOT / "_config.yml",
    ROOT / "_toc.yml",
    *ROOT.glob("book/**/*.py"),
    *ROOT.glob("book/**/*.md"),
]


def formulas_of(page):
    return '<div class="math' in (SITE / page).read_text()


def missing():
    """What these tests lack, in a line, or nothing."""
    front = SITE / "book" / "index.html"
    if not front.exists():
        return "no site: make book"
    if front.stat().st_mtime < max(path.stat().st_mtime for path in SOURCES):
        return "the site is older than its sources: make book"
    if not (BROWSER and DRIVER):
        return "no Chromium or driver: on Debian, apt install chromium chromium-driver"


if lack := missing():
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(lack, pytrace=False)
    pytest.skip(lack, allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    driver = chromium(FLAGS)
    yield driver
    driver.quit()


def chromium(flags):
    """A browser that knows no other host and keeps what it logs."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in flags:
        options.add_argument(flag)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(60)
    return driver


@pytest.fixture
def phone(browser):
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of the site below a path, as GitHub Pages serves it."""
    folder = tmp_path_factory.mktemp("www")
    (folder / "a-course").symlink_to(SITE)
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *arguments: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a-course/"
    server.shutdown()


def open_page(browser, address):
    """Open a page, wait until its formulas are set -> (addresses asked for, errors)."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # forget what came before
    browser.get(address)
    browser.execute_async_script(
        "const done = arguments[0];"
        "window.MathJax?.startup ? MathJax.startup.promise.then(() => done()) : done();"
    )
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    errors = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    return asked, errors


def on_disk(page):
    return (SITE / page).as_uri()


@pytest.mark.parametrize("page", PAGES)
def test_from_disk_nothing_else_is_asked_and_nothing_fails(browser, page):
    asked, errors = open_page(browser, on_disk(page))
    elsewhere = [a for a in asked if urlsplit(a).scheme not in ("file", "data", "blob")]
    assert asked and not elsewhere and not errors
    source = (SITE / page).read_text()
    formulas = browser.find_elements(By.CSS_SELECTOR, "mjx-container")
    assert bool(formulas) == ('class="math' in source)
    assert not browser.find_elements(By.CSS_SELECTOR, "mjx-merror, [data-mjx-error]")


@pytest.mark.parametrize("page", PAGES)
def test_below_a_path_only_its_own_host_is_asked(browser, served, page):
    asked, errors = open_page(browser, served + page)
    assert {urlsplit(a).netloc for a in asked if a.startswith("http")} == {urlsplit(served).netloc}
    assert not errors


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_needs_no_sideways_scrolling(phone, page):
    open_page(phone, on_disk(page))
    width = phone.execute_script("return document.documentElement.scrollWidth")
    assert width <= 390


@pytest.fixture
def of_width(browser):
    def set_width(width):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1}
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", metrics | {"mobile": width < 600}
        )

    yield set_width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


CUT_FORMULAS = """
const visible = [...document.querySelectorAll("div.math")].filter(d => d.offsetParent);
return visible.filter(box => {
  const drawn = [...box.querySelectorAll("svg g[data-mml-node]")]
    .map(g => g.getBoundingClientRect()).filter(r => r.width);
  const left = Math.min(...drawn.map(r => r.left)) - box.getBoundingClientRect().left;
  const right = Math.max(...drawn.map(r => r.right)) - box.getBoundingClientRect().left;
  const scrolls = ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
  return left < -1 || right > (scrolls ? box.scrollWidth : box.clientWidth) + 1;
}).map(box => box.textContent.slice(0, 60));
"""


@pytest.mark.parametrize("page", [p for p in PAGES if formulas_of(p)])
def test_no_formula_begins_left_of_its_box_and_its_end_can_be_reached(browser, of_width, page):
    open_page(browser, on_disk(page))
    for width in (400, 800, 1200):
        of_width(width)
        assert browser.execute_script(CUT_FORMULAS) == [], width


@pytest.mark.parametrize("page", [p for p in PAGES if "<pre" in (SITE / p).read_text()])
def test_no_visible_line_of_code_wraps_at_1200(browser, of_width, page):
    of_width(1200)
    open_page(browser, on_disk(page))
    wrapped = browser.execute_script(
        """
        const code = [...document.querySelectorAll(".bd-content div.highlight pre")];
        return code.filter(p => p.checkVisibility() && !p.closest(".cell_output")).filter(p => {
          p.style.whiteSpace = "pre";
          return p.scrollWidth > p.clientWidth;
        }).map(p => p.textContent.split("\\n").reduce((a, b) => a.length > b.length ? a : b));
        """
    )
    assert wrapped == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing(browser, page, theme):
    open_page(browser, on_disk(page))
    browser.execute_script(
        "document.documentElement.dataset.theme = document.documentElement.dataset.mode = arguments[0]",
        theme,
    )
    browser.execute_script(AXE.read_text())
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then(r => done("
        "r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html.slice(0, 200)))))"
    )
    assert found == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_weighs_less_than_3_mb(browser, page):
    """As a server sends it, compressed."""
    asked, _ = open_page(browser, on_disk(page))
    files = {Path(unquote(urlsplit(a).path)) for a in asked if a.startswith("file:")}
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 3e6


def metatags(page):
    """{name: value} of what a link to the page shows elsewhere."""
    tags = re.findall(r'<meta property="([^"]+)" content="([^"]*)"', (SITE / page).read_text())
    return {name: unescape(value) for name, value in tags}


def test_a_link_to_any_page_shows_its_title_and_the_card_of_the_book():
    pages = [page for page in PAGES if page.startswith("book/")]
    base, shown = CONFIG["html"]["baseurl"], [metatags(page) for page in pages]
    assert all(tags["og:description"] for tags in shown)
    assert {tags["og:image"] for tags in shown} == {f"{base}_static/social.png"}
    assert [tags["og:url"] for tags in shown] == [base + page for page in pages]
    titles = {tags["og:title"] for tags in shown}
    assert len(titles) == len(pages) and all(titles)
    assert metatags("index.html") == metatags("book/index.html")
    assert metatags("search.html")["og:title"] == CONFIG["title"]
    with Image.open(SITE / "_static" / "social.png") as card:
        assert card.size == (1200, 630)


def test_the_site_s_address_leads_to_the_front_page(browser, served):
    browser.get(served)
    WebDriverWait(browser, 10).until(lambda b: b.current_url == f"{served}book/index.html")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_an_icon(page):
    links = re.findall(r'<link rel="icon" href="([^"]+)"', (SITE / page).read_text())
    assert links and all((SITE / page).parent.joinpath(link).exists() for link in links)


def widgets(text):
    return [page for page in PAGES if text in (SITE / page).read_text()]


def test_the_chapters_with_players_and_sliders_show_them():
    for call, mark in ("animation", "player"), ("comparison", "comparison"):
        drawing = {
            path.relative_to(ROOT).with_suffix(".html").as_posix()
            for path in ROOT.glob("book/*/*.py")
            if re.search(rf"^{call}\(", path.read_text(), re.M)
        }
        assert drawing == set(widgets(f'<div id="{mark}'))


# some players and sliders wait in a fold
UNFOLD = "document.querySelectorAll('details').forEach(fold => fold.open = true)"


@pytest.mark.parametrize("page", widgets('<div id="player'))
def test_players_wait_and_obey_the_keyboard(browser, page):
    open_page(browser, on_disk(page))
    browser.execute_script(UNFOLD)
    for player in browser.find_elements(By.CSS_SELECTOR, "[id^=player]"):
        image = player.find_element(By.CSS_SELECTOR, "[role=img]")
        slider = player.find_element(By.CSS_SELECTOR, "input")
        button = player.find_element(By.CSS_SELECTOR, "button")
        last, frame = slider.get_attribute("max"), image.get_attribute("style")
        assert slider.get_attribute("value") == last and button.text == "Play"
        slider.send_keys(Keys.ARROW_LEFT)
        assert int(slider.get_attribute("value")) == int(last) - 1
        assert image.get_attribute("style") != frame
        slider.send_keys(Keys.HOME)
        button.send_keys(Keys.ENTER)
        ended = lambda _, s=slider, last=last: s.get_attribute("value") == last
        WebDriverWait(browser, 60).until(ended)
        WebDriverWait(browser, 5).until(lambda _, b=button: b.text == "Play")


@pytest.fixture
def calm(browser):
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("page", widgets('<div id="player'))
def test_players_do_not_play_where_motion_is_unwelcome(calm, page):
    open_page(calm, on_disk(page))
    calm.execute_script(UNFOLD)
    player = calm.find_element(By.CSS_SELECTOR, "[id^=player]")
    slider = player.find_element(By.CSS_SELECTOR, "input")
    button = player.find_element(By.CSS_SELECTOR, "button")
    frames = int(slider.get_attribute("max")) + 1
    for press in range(3):  # each shows the next one, the first again after the last
        button.send_keys(Keys.ENTER)
        time.sleep(0.4)
        assert int(slider.get_attribute("value")) == press % frames
        assert button.text == "Next"


@pytest.mark.parametrize("page", widgets('<div id="comparison'))
def test_sliders_obey_the_keyboard(browser, page):
    open_page(browser, on_disk(page))
    browser.execute_script(UNFOLD)
    for box in browser.find_elements(By.CSS_SELECTOR, "[id^=comparison]"):
        slider = box.find_element(By.CSS_SELECTOR, "input")
        frame = box.find_element(By.CSS_SELECTOR, "[role=img]")
        top = box.find_elements(By.CSS_SELECTOR, "img")[1]
        assert top.rect == frame.rect
        before = top.get_attribute("style")
        slider.send_keys(Keys.ARROW_RIGHT)
        assert slider.get_attribute("value") == "51"
        assert top.get_attribute("style") != before


@pytest.mark.parametrize("place", ["on disk", "below a path"])
def test_search_and_icons_work(browser, served, place):
    page = on_disk("search.html") if place == "on disk" else served + "search.html"
    open_page(browser, page + "?q=guidance")
    WebDriverWait(browser, 20).until(
        lambda b: b.find_elements(By.CSS_SELECTOR, "#search-results li a")
    )
    links = browser.find_elements(By.CSS_SELECTOR, "#search-results li a")
    assert any("a1_6_guidance" in link.get_attribute("href") for link in links)
    assert not [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    # `document.fonts.check` is true of a family that is not declared
    WebDriverWait(browser, 20).until(
        lambda b: b.execute_script(
            "return [...document.fonts].some(font =>"
            " font.family.includes('Font Awesome 6 Free') && font.status == 'loaded')"
        )
    )


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_site_lead_somewhere(page):
    source = (SITE / page).read_text()
    for address in re.findall(r'<a [^>]*href="([^"]+)"', source):
        parts = urlsplit(unescape(address))
        if parts.scheme or parts.netloc:
            continue
        target = (SITE / page).parent / unquote(parts.path) if parts.path else SITE / page
        assert target.exists(), address
        if parts.fragment and target.suffix == ".html":
            assert f'id="{unquote(parts.fragment)}"' in target.read_text(), address


def test_the_rocket_opens_the_chapter_in_colab():
    """Where the book has an address; until then each page says that it has none."""
    address = CONFIG["repository"]["url"]
    for page in PAGES:
        notebook, source = (ROOT / Path(page).with_suffix(".ipynb"), (SITE / page).read_text())
        path = notebook.relative_to(ROOT).as_posix()
        link = f"https://colab.research.google.com/github{urlsplit(address).path}/blob/main/{path}"
        if address.endswith(".invalid"):
            assert "colab.research.google.com/github" not in source
            assert "is not published yet" in source
        elif notebook.exists():
            assert f'href="{link}"' in source
