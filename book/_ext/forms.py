"""The forms of the live pages, as HTML: what a reader sets and presses, sees and draws on.

The scripts in `_static/live` read the fields by their names, and find the pictures in this order.
"""

from diffusion_utils.export import HYBRID_NEAR

DIGITS = ["none", *range(10)]
STEPS = [11, 22, 33, 66, 99]  # each from t = 990 to 0
VIEWS = ["upside down", "quarter turn", "half turn", "negative"]
PICTURE = 'role="img"'
DRAWN_ON = 'class="live-sketch" role="application" tabindex="0"'


def field(label, control):
    return f"<label><span>{label}</span>{control}</label>"


def number(name, label, value, least, most, step=1, kind="number"):
    limits = f'value="{value}" min="{least}" max="{most}" step="{step}"'
    return field(label, f'<input name="{name}" type="{kind}" {limits} required>')


def choice(name, label, options, chosen=None):
    made = [
        f"<option{' selected' * (each == chosen)}>{each}</option>" for each in options
    ]
    return field(label, f'<select name="{name}">{"".join(made)}</select>')


def prompt(name, label, value):
    allowed = 'maxlength="200" pattern=".*\\S.*" title="say what the picture should show" required'
    known = 'list="live-prompts"'  # which the script makes of all that ship
    return field(
        label, f'<input name="{name}" type="text" value="{value}" {known} {allowed}>'
    )


def seed(value):
    return number("seed", "seed", value, 0, 2**32 - 1)


def gamma(value):
    return number("gamma", "γ, guidance", value, 0, 20, "any")


def button(name, label):
    return f'<button type="button" name="{name}">{label}</button>'


def canvas(label, side, attributes=PICTURE):
    return f'<canvas width="{side}" height="{side}" aria-label="{label}" {attributes}></canvas>'


def figure(label, content):
    caption = f"<figcaption>{label}</figcaption>"
    return f'<figure><div class="live-frame">{content}</div>{caption}</figure>'


def screen(label, side):
    return figure(label, canvas(label, side))


def sketch(label, side, below=""):
    """A square to draw on; what is drawn on a picture lies over the canvas below."""
    label = f"{label}: mouse, finger, or arrow keys and space"
    pen = '<span class="live-pen" hidden></span>'
    return figure(label, below + canvas(label, side, DRAWN_ON) + pen)


def row(*parts):
    return f'<div class="live-row">{"".join(parts)}</div>'


def form(fields, buttons, screens, below=""):
    shown = f'<div class="live-screens">{"".join(screens)}</div>'
    return f"<form>{row(*fields, row(*buttons))}{shown}{row(below)}</form>"


def run(side, fields, buttons=(), sketches=(), below=""):
    """The form of a run of the sampler, which can be stopped and looked through."""
    go = ["<button>Start</button>", button("go", "Stop")]
    through = [button("back", "Back"), button("forward", "Step")]
    x = screen("x, the picture on its way", side)
    x0_hat = screen("x̂₀, the network's guess of the finished picture", side)
    steps = number("step", "step", 0, 0, 0, kind="range")
    return form(
        fields, [*go, *through, *buttons], [*sketches, x, x0_hat], steps + below
    )


def forms(pictures):
    """{name of a widget: its form}. pictures: the names of those that ship."""
    digits = [number("steps", "steps", 100, 1, 300), seed(7)]
    steps_and_seed = choice("steps", "steps", STEPS, 33), seed(0)
    emoji64 = [gamma(7), *steps_and_seed]

    def given(chosen):
        own = '<input name="own" type="file" accept="image/*">'
        shown = choice("picture", "picture", [*pictures, "a white page"], chosen)
        return shown, field("or open one", own)

    start = number("iStart", "start at step", 10, 0, 32)
    colour = '<input name="colour" type="color" value="#d02020">'
    return {
        "b1": form(
            [
                choice("digit", "test digit", DIGITS),
                number("sigma", "σ", 0.5, 0, 1, 0.05, "range"),
                seed(7),
            ],
            [button("clear", "Clear")],
            [sketch("x, draw here", 28), screen("z", 28), screen("estimate", 28)],
        ),
        "b2": run(28, digits),
        "b3": run(28, [choice("digit", "digit", DIGITS, 7), gamma(3), *digits]),
        "generate": run(64, [prompt("prompt", "prompt", "a mushroom"), *emoji64]),
        "sdedit": run(
            64,
            [
                prompt("prompt", "prompt", "a mushroom"),
                *emoji64,
                start,
                *given("sailboat"),
                field("colour of the pen", colour),
            ],
            [button("clear", "Clear the drawing")],
            [sketch("draw here", 64, canvas("the picture", 64))],
        ),
        "inpaint": run(
            64,
            [
                prompt("prompt", "prompt", "a tree"),
                gamma(3),
                *steps_and_seed,
                number("times", "how often each step is taken", 1, 1, 10),
                *given("mushroom"),
            ],
            [button("clear", "Clear the hole")],
            [sketch("paint what is to be replaced", 64, canvas("the picture", 64))],
        ),
        "anagram": run(
            64,
            [
                prompt("prompt", "as it is", "a strawberry"),
                prompt("second", "turned", "a watermelon"),
                *emoji64,
                choice("view", "view", VIEWS),
            ],
            below=button("turn", "Turn the picture"),
        ),
        "hybrid": run(
            64,
            [
                prompt("prompt", "from afar", "a mushroom"),
                prompt("second", "from close by", HYBRID_NEAR),
                *emoji64,
                number("sigma", "σ of the blur", 2, 0.5, 8, "any"),
            ],
            below=number("distance", "distance", 1, 1, 10, 0.1, "range"),
        ),
    }
