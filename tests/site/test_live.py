"""The live pages in Chromium: the pictures of the book, and one sentence for whatever goes wrong."""

import io
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait
from test_site import AXE, FLAGS, SITE, browser, chromium, on_disk, open_page  # noqa: F401

from diffusion_utils.denoisers import guided
from diffusion_utils.metrics import psnr
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.release import released
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import HOLES, hole, shipped_image, to_unit
from diffusion_utils.sampling import generators, sample, unit_noise
from diffusion_utils.schedule import Schedule, spaced_timesteps, strided_timesteps
from diffusion_utils.tasks import generate, hybrid_image, inpaint, prompted, sdedit, visual_anagram
from diffusion_utils.text_to_image import load_pretrained

# a fixture is named where it is used
# ruff: noqa: F811

PAGE = "book/try_it.html"
LEVELS = 2  # of 255, by which a picture may differ from the book's
FIELDS = {  # of each task of Part A
    "generate": {"prompt": "a mushroom"},
    "sdedit": {"prompt": "a mushroom", "start at step": 4, "picture": "sailboat"},
    "inpaint": {"prompt": "a mushroom", "γ": 7, "how often": 2, "picture": "sailboat"},
    "anagram": {"as it is": "a mushroom", "turned": "a panda"},
    "hybrid": {"from afar": "a mushroom", "from close": "a panda"},
}


class Site(SimpleHTTPRequestHandler):
    """The site; of files whose names hold `cut`, half is sent before the connection ends.

    changed: {what worker.mjs holds: what it holds instead}
    """

    cut = None
    changed = {}

    def log_message(self, *arguments):
        pass

    def copyfile(self, source, target):
        if Site.cut and Site.cut in self.path:
            source = io.BytesIO(source.read()[: 2**20])
        super().copyfile(source, target)

    def send_head(self):
        """Begin an answer; what is changed has another length."""
        if not (Site.changed and self.path.endswith("worker.mjs")):
            return super().send_head()
        script = Path(self.translate_path(self.path)).read_text()
        for old, new in Site.changed.items():
            assert old in script
            script = script.replace(old, new)
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", str(len(script.encode())))
        self.end_headers()
        return io.BytesIO(script.encode())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("www")
    (folder / "a-course").symlink_to(SITE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a-course/"
    server.shutdown()


class Box:
    """A live box of the page that is open, as its reader uses it."""

    def __init__(self, browser, name):
        self.browser, self.name = browser, name

    @property
    def element(self):
        return self.browser.find_element(By.CSS_SELECTOR, f".live[data-live={self.name}]")

    def shown(self, selector):
        found = self.element.find_elements(By.CSS_SELECTOR, selector)
        return [one for one in found if one.is_displayed()]

    @property
    def says(self):
        return self.element.find_element(By.CSS_SELECTOR, "[role=status]").text

    @property
    def step(self):
        return int(re.search(r"Step (\d+)", self.says)[1])

    def wait(self, condition, seconds=240):
        WebDriverWait(self.browser, seconds, 0.1).until(lambda _: condition())

    def press(self, text):
        (button,) = [one for one in self.shown("button") if one.text.startswith(text)]
        self.click(button)

    def click(self, one):
        """Click what the page's header would hide."""
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", one)
        one.click()

    def open(self):
        self.press("Run it here")
        self.wait(lambda: self.shown("form"))
        return self

    def field(self, text):
        (label,) = [one for one in self.shown("label") if one.text.startswith(text)]
        return label.find_element(By.CSS_SELECTOR, "input, select")

    def fill(self, **fields):
        for text, value in fields.items():
            field = self.field(text.replace("_", " "))
            if field.tag_name == "select":
                Select(field).select_by_visible_text(str(value))
            else:
                field.clear()
                field.send_keys(str(value))

    def refuses(self, text, value):
        """The browser says in a sentence what is wrong with a field, and nothing starts."""
        before = self.says
        self.fill(**{text: value})
        self.press("Start")
        field = self.field(text)
        assert field.get_property("validationMessage").endswith(".")
        assert self.browser.switch_to.active_element == field and self.says == before

    def answer(self, question, accept):
        """Answer what the page asks in a dialog."""
        self.wait(lambda: expected_conditions.alert_is_present()(self.browser))
        dialog = self.browser.switch_to.alert
        assert question in dialog.text
        dialog.accept() if accept else dialog.dismiss()

    def run(self, **fields):
        """Start, and wait for the last step."""
        self.fill(**fields)
        self.press("Start")
        self.wait(lambda: "the last" in self.says)

    def levels(self, place):
        """What is on a canvas: (H, W, 3), 0 .. 255."""
        data = self.browser.execute_script(
            "const c = arguments[0];"
            "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]",
            self.shown("canvas")[place],
        )
        side = int((len(data) / 4) ** 0.5)
        return np.array(data).reshape(side, side, 4)[..., :3]


def in_levels(image, low):
    """An image (C, H, W) from low to 1 as its page shows it: (H, W, 3)."""
    shown = ((image - low) / (1 - low)).clamp(0, 1).mul(255).expand(3, -1, -1)
    return shown.permute(1, 2, 0).numpy()


def assert_same(levels, image, low):
    assert np.abs(levels - in_levels(image, low)).max() <= LEVELS
    assert levels.std() > 5  # no empty square


@pytest.fixture(scope="module")
def page(browser, site):
    """The page with all boxes open: {task: box}."""
    open_page(browser, site + PAGE)
    return {task: Box(browser, task).open() for task in ("b1", "b2", "b3", *FIELDS)}


def test_nothing_is_fetched_before_a_button_is_pressed(browser, site):
    asked, errors = open_page(browser, site + PAGE)
    live = [urlsplit(a).path for a in asked if "/live/" in a]
    assert sorted(path.rpartition("/")[2] for path in live) == ["live.css", "start.js"]
    assert not errors
    front = (SITE / "book" / "index.html").read_text()
    assert ("live/start.js" in front) == ('class="live"' in front)
    added = sum((SITE / "_static/live" / name).stat().st_size for name in ("live.css", "start.js"))
    assert added < 30_000


def test_a_page_from_disk_says_that_it_cannot(browser):
    open_page(browser, on_disk(PAGE))
    box = Box(browser, "b1")
    box.press("Run it here")
    assert re.fullmatch(r"[^.]+\.", box.says) and "from disk" in box.says
    assert not browser.get_log("browser")


def test_a_lost_connection_is_said_and_the_button_works_again(browser, site, monkeypatch):
    browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    open_page(browser, site + PAGE)
    box = Box(browser, "b3")
    monkeypatch.setattr(Site, "cut", "b3-")
    box.press("Run it here")
    box.wait(lambda: "lost" in box.says)
    assert re.fullmatch(
        r"The connection was lost after \d MB of 5 MB; press the button again\.", box.says
    )
    monkeypatch.setattr(Site, "cut", None)
    box.open()


def test_a_button_says_no_size_where_all_is_there(browser, site):
    open_page(browser, site + PAGE)
    sizes = [Box(browser, task).shown("button")[0].text for task in ("generate", "hybrid")]
    assert all(re.fullmatch(r"Run it here, \d+ MB", size) for size in sizes)
    Box(browser, "generate").open()
    assert Box(browser, "hybrid").shown("button")[0].text == "Run it here"


def test_b1_denoises_the_chapter_s_digit(page):
    images, labels = mnist(train=False)
    x = to_unit(images[labels == 7][:1])
    z = x + 0.5 * unit_noise((1, 28, 28), generators([7]))
    with torch.no_grad():
        estimate = list(released("b1")[0].values())[-1](z)
    box = page["b1"]
    for place, image in enumerate((x, z, estimate)):
        assert_same(box.levels(place), image[0], 0)
    captions = [one.text for one in box.shown("figcaption")]
    for caption, image in zip(captions[1:], (z, estimate), strict=True):
        assert f"{psnr(image, x).item():.1f} dB" in caption


def test_b1_is_drawn_on_by_keyboard_and_by_mouse(browser, page):
    box = page["b1"]
    box.press("Clear")
    box.wait(lambda: box.levels(0).max() == 0)
    before = box.levels(2)
    canvas = box.shown("canvas")[0]
    canvas.send_keys(Keys.SPACE, *[Keys.ARROW_DOWN] * 6, Keys.SPACE)
    drawn = box.levels(0)
    assert (drawn[14:20, 14].max(-1) > 200).all() and drawn[:, :10].max() == 0
    box.wait(lambda: (box.levels(2) != before).any())
    assert box.levels(0)[:10].max() == 0
    box.click(canvas)  # brings it into view
    row, size = 10, canvas.size["width"] / 28  # of a pixel of the drawing
    middle = round((row + 0.5 - 14) * size)
    at = ActionChains(browser).move_to_element_with_offset(canvas, 0, middle)
    at.click_and_hold().move_by_offset(round(3 * size), 0).release().perform()
    assert (box.levels(0)[row, 14:17].max(-1) > 200).all()
    sigma = box.field("σ")
    sigma.send_keys(Keys.END)
    box.wait(lambda: "σ = 1" in box.says)


@pytest.mark.parametrize("name", ["b2", "b3"])
def test_part_b_draws_the_book_s_digits(page, name):
    network = list(released(name)[0].values())[-1]
    denoise = unet_denoiser(network, 300)
    fields = {"steps": 12, "seed": 7}
    if name == "b3":
        denoise = guided(unet_denoiser(network, 300, torch.tensor([4])), denoise, 3)
        fields |= {"digit": 4, "γ": 3}
    page[name].run(**fields)
    assert "Computed by the processor." in page[name].says
    schedule = Schedule.linear(1e-4, 0.02, T=300)
    drawn = sample(denoise, (1, 28, 28), spaced_timesteps(300, 12), schedule, seeds=[7])
    assert_same(page[name].levels(0), drawn[0], 0)


STOPPED_CLOCK = {"performance.now()": "0"}  # so that the slow one is not refused
TRIALS = {  # what of worker.mjs is changed, and where the digits are computed then
    "slower": ({}, "processor"),
    "as fast": (STOPPED_CLOCK, "graphics card"),
    "wrong": (STOPPED_CLOCK | {"others[name][i]": "others[name][i] + 0.02"}, "processor"),
    "broken": (STOPPED_CLOCK | {'"webgpu"': '"no such thing"'}, "processor"),
}


@pytest.fixture(scope="module")
def browser_with_card():
    """Chromium with a graphics card that it computes itself, slowly, and takes for a real one."""
    card = [
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
        "--enable-features=Vulkan",
    ]
    driver = chromium([flag for flag in FLAGS if flag != "--disable-gpu"] + card)
    real = "Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', {value: false})"
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": real})
    yield driver
    driver.quit()


@pytest.mark.parametrize("trial", TRIALS)
def test_a_graphics_card_is_used_if_it_is_fast_and_right(
    browser_with_card, site, monkeypatch, trial
):
    changed, where = TRIALS[trial]
    monkeypatch.setattr(Site, "changed", changed)
    browser_with_card.execute_cdp_cmd("Network.clearBrowserCache", {})
    open_page(browser_with_card, site + PAGE)
    box = Box(browser_with_card, "b2").open()
    box.run(steps=2, seed=7)
    assert f"Computed by the {where}." in box.says
    denoise = unet_denoiser(list(released("b2")[0].values())[-1], 300)
    schedule = Schedule.linear(1e-4, 0.02, T=300)
    drawn = sample(denoise, (1, 28, 28), spaced_timesteps(300, 2), schedule, seeds=[7])
    assert_same(box.levels(0), drawn[0], 0)


def test_a_run_is_stopped_and_looked_through(page):
    box = page["b3"]
    box.fill(steps=300)
    box.press("Start")
    box.wait(lambda: "of 300" in box.says and box.step >= 3)
    box.press("Stop")
    box.wait(lambda: box.shown("input[type=range]")[0].is_enabled())
    at = box.step
    later = box.levels(0)
    box.press("Back")
    assert f"Step {at - 1} of 300" in box.says and (box.levels(0) != later).any()
    box.press("Step")
    assert f"Step {at} of 300" in box.says and (box.levels(0) == later).all()
    box.press("Step")
    box.wait(lambda: f"Step {at + 1} of 300" in box.says)
    box.press("Go on")
    box.wait(lambda: box.step >= at + 3)
    box.press("Stop")


@pytest.fixture(scope="module")
def model():
    return load_pretrained("emoji64", "cpu")


ELEVEN = strided_timesteps(990, 90)
PROMPTS = ["a mushroom", "a panda"]


def drawn(model, task):
    """What the package draws for a task of the page."""
    image, seeds = shipped_image("sailboat"), [3]
    guide = prompted(model, PROMPTS[0])
    return {
        "generate": lambda: generate(model, guide, seeds, ELEVEN),
        "sdedit": lambda: sdedit(model, guide, image, 4, seeds, ELEVEN),
        "inpaint": lambda: inpaint(model, guide, image, hole(*HOLES["sailboat"]), seeds, 2, ELEVEN),
        "anagram": lambda: generate(model, visual_anagram(model, PROMPTS), seeds, ELEVEN),
        "hybrid": lambda: hybrid_image(model, PROMPTS, seeds, i_start=9, timesteps=ELEVEN),
    }[task]()[0]


@pytest.mark.parametrize("task", FIELDS)
def test_part_a_draws_the_book_s_pictures(page, model, task):
    page[task].run(**{"steps": 11, "seed": 3} | FIELDS[task])
    assert_same(page[task].levels(-2), drawn(model, task), -1)


def test_an_anagram_is_turned_by_click_and_a_hybrid_shrinks(browser, page):
    box = page["anagram"]
    canvas = box.shown("canvas")[0]
    look = "return getComputedStyle(arguments[0]).transform"
    for press, seen in (box.click, "matrix(1, 0, 0, -1, 0, 0)"), (box.press, "none"):
        press(canvas if press == box.click else "Turn")
        box.wait(lambda seen=seen: browser.execute_script(look, canvas) == seen)
    box.press("Turn")
    box.run(steps=11)  # begins upright
    box.wait(lambda: browser.execute_script(look, canvas) == "none")
    box = page["hybrid"]
    canvas = box.shown("canvas")[0]
    box.field("distance").send_keys(Keys.END)
    box.wait(lambda: "scale(0.1)" in canvas.get_attribute("style"))


def test_a_name_gets_its_article(page):
    box = page["generate"]
    box.run(prompt="Umbrella", steps=11)
    assert box.field("prompt").get_property("value") == "an Umbrella"


def test_other_steps_begin_at_the_same_share(page):
    box = page["sdedit"]
    box.fill(steps=33)
    box.fill(**{"start at step": 8})
    for steps, start in (99, 25), (33, 8):
        box.fill(steps=steps)
        assert box.field("start at step").get_property("value") == str(start)
    box.refuses("start at step", 33)
    box.fill(**{"start at step": 8})


def test_any_other_text_needs_the_text_encoder(page, model):
    box, prompt = page["generate"], "two Mushrooms on a green hill"
    box.fill(prompt=prompt, steps=11, seed=3)
    box.press("Start")
    box.answer("needs the text encoder. Fetch it, 46 MB?", accept=False)
    box.wait(lambda: "needs the text encoder." in box.says)
    box.press("Start")
    box.answer("needs the text encoder. Fetch it, 46 MB?", accept=True)
    box.wait(lambda: "the last" in box.says)
    expected = generate(model, prompted(model, prompt), [3], ELEVEN)[0]
    assert_same(box.levels(-2), expected, -1)


@pytest.mark.parametrize("prompt", ["", "   "])
def test_an_empty_prompt_is_refused_in_a_sentence(page, prompt):
    page["generate"].refuses("prompt", prompt)


def test_a_number_out_of_range_is_refused_in_a_sentence(page):
    page["b2"].refuses("steps", 0)
    page["b2"].run(steps=2)


def test_a_prompt_that_is_too_long_is_cut_and_said(page):
    box = page["generate"]
    long = "a very long prompt about " + "a mushroom and " * 5 + "a panda"
    box.run(prompt=long, steps=11)
    assert "its end is left out." in box.says


@pytest.fixture
def files(tmp_path):
    """A file that is no picture, and pictures that are huge and small."""
    (tmp_path / "words.png").write_text("no picture")
    Image.new("1", (12_000, 9_000)).save(tmp_path / "huge.png")
    Image.new("RGB", (90, 50), "#ff0000").save(tmp_path / "red.png")
    return tmp_path


def test_a_file_that_is_no_picture_is_refused_and_the_next_one_is_taken(page, files):
    box = page["sdedit"]
    own = box.shown("input[type=file]")[0]
    own.send_keys(str(files / "words.png"))
    box.wait(lambda: "cannot be read" in box.says)
    assert re.fullmatch(r"words.png [^.]+\.", box.says)
    own.send_keys(str(files / "huge.png"))
    box.wait(lambda: (box.levels(0) == 0).all())
    own.send_keys(str(files / "red.png"))
    box.wait(lambda: (box.levels(0) == [255, 0, 0]).all())
    box.fill(picture="sailboat")  # which was chosen before
    assert (box.levels(0) != [255, 0, 0]).any()


def test_a_drawing_is_part_of_the_picture_until_it_is_cleared(page):
    box = page["sdedit"]
    box.fill(picture="a white page")
    box.shown("canvas")[1].send_keys(Keys.SPACE, *[Keys.ARROW_DOWN] * 6, Keys.SPACE)
    last = {"steps": 11, "start at step": 10}  # with hardly any noise
    box.run(**last)
    assert (box.levels(-2)[33:38, 32, 1] < 128).all()  # red, not white
    box.press("Clear")
    box.run(**last)
    assert (box.levels(-2)[33:38, 32, 1] > 200).all()


def test_pictures_do_not_move_where_motion_is_unwelcome(browser, page):
    box = page["b2"]
    box.run(steps=1)
    before = box.levels(0)
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    try:
        box.fill(steps=150)  # long enough to look at it on the way
        box.press("Start")
        box.wait(lambda: "of 150" in box.says)
        assert (box.levels(0) == before).all()
        box.wait(lambda: "the last" in box.says)
        assert (box.levels(0) != before).any()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: make site-test fetches it")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_open_boxes(browser, page, theme):
    browser.execute_script(
        "document.documentElement.dataset.theme = document.documentElement.dataset.mode = arguments[0]",
        theme,
    )
    browser.execute_script(AXE.read_text())
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run('.live').then(r => done("
        "r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html.slice(0, 200)))))"
    )
    assert found == []


def test_open_boxes_fit_a_phone(browser, page):
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_pages_logged_no_error(browser, page):
    logged = browser.get_log("browser")
    # axe reads the theme's style sheets anew, from where their imports lead nowhere
    errors = [e for e in logged if "basic.css" not in e["message"]]
    assert not [e for e in errors if e["level"] == "SEVERE"]
