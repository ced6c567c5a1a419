"""The words of Emoji-64: styles, colours, and what a drawing may be called."""

STYLES = {
    "noto": "with soft shading",
    "noto-v1": "in an old android style",
    "twemoji": "as a flat drawing",
    "fluent-emoji": "as a 3d render",
    "fluent-emoji-flat": "in flat colours",
    "emojione": "as a glossy drawing",
    "streamline-emojis": "with black outlines",
}
# these look alike: a plain name means one of them, the others are drawn when their style is asked for
PLAIN_STYLES = ("noto", "twemoji", "fluent-emoji", "fluent-emoji-flat")

COLOURS = {  # RGB, 0 .. 255
    "red": (222, 40, 44),
    "orange": (247, 140, 30),
    "yellow": (252, 210, 40),
    "green": (62, 170, 72),
    "blue": (48, 112, 222),
    "purple": (142, 72, 192),
    "pink": (246, 132, 182),
    "brown": (132, 82, 48),
    "black": (42, 42, 48),
    "grey": (142, 144, 150),
}

ANYTHING = ["a high quality photo", "a high quality picture", "a picture", "an emoji"]

# other words for a name, which it is called by now and then
SYNONYMS = {
    "airplane": ["plane", "jet"],
    "alien monster": ["space invader"],
    "baby chick": ["chick"],
    "bathtub": ["bath"],
    "bear": ["brown bear"],
    "bicycle": ["bike"],
    "birthday cake": ["cake"],
    "black cat": ["dark cat"],
    "blossom": ["flower", "yellow flower"],
    "boar": ["wild pig"],
    "bowl of ice cream": ["ice cream sundae"],
    "bowl of rice": ["rice"],
    "boot": ["high boot"],
    "bouquet of flowers": ["bunch of flowers"],
    "briefcase": ["business bag"],
    "bug": ["caterpillar"],
    "bus": ["coach"],
    "camping": ["tent in the woods"],
    "candy": ["sweet"],
    "car": ["automobile"],
    "cat face": ["kitten"],
    "champagne bottle": ["bottle of champagne"],
    "christmas tree": ["decorated fir"],
    "cityscape": ["city", "skyline"],
    "closed umbrella": ["folded umbrella"],
    "clown face": ["clown"],
    "couch": ["sofa"],
    "cow face": ["face of a cow"],
    "crane": ["building site"],
    "cup of coffee": ["hot tea", "mug of coffee"],
    "delivery truck": ["truck", "lorry"],
    "desktop computer": ["computer", "pc"],
    "diamond": ["gem", "jewel"],
    "dinosaur": ["brontosaurus"],
    "dog face": ["puppy"],
    "doughnut": ["donut"],
    "dragon face": ["head of a dragon"],
    "dress": ["gown"],
    "eagle": ["hawk"],
    "eggplant": ["aubergine"],
    "fire": ["campfire", "flame"],
    "fire truck": ["fire engine"],
    "fish": ["blue fish"],
    "french fries": ["chips", "fries"],
    "full moon face": ["moon with a face"],
    "game controller": ["gamepad"],
    "game die": ["dice"],
    "gift": ["present", "wrapped box"],
    "glasses": ["spectacles"],
    "globe": ["earth", "the world"],
    "halloween pumpkin": ["pumpkin", "jack o'lantern"],
    "hamburger": ["burger"],
    "headstone": ["gravestone"],
    "helicopter": ["chopper"],
    "herb": ["parsley"],
    "hot pepper": ["chili pepper"],
    "house": ["home", "cottage"],
    "ice cream cone": ["soft ice"],
    "jeans": ["trousers"],
    "kitchen knife": ["knife"],
    "ladybug": ["ladybird"],
    "laptop": ["notebook computer"],
    "life buoy": ["life ring"],
    "light bulb": ["lamp"],
    "lightning bolt": ["flash of lightning"],
    "locomotive": ["steam train"],
    "luggage": ["suitcase"],
    "mage": ["wizard"],
    "magnifying glass": ["loupe"],
    "meat on a bone": ["meat"],
    "mobile phone": ["phone", "smartphone"],
    "money bag": ["sack of money"],
    "monkey face": ["face of a monkey"],
    "motor boat": ["boat"],
    "motor scooter": ["scooter", "vespa"],
    "motorcycle": ["motorbike"],
    "mountain": ["rocky peak"],
    "mug of beer": ["pint of beer"],
    "mushroom": ["toadstool"],
    "ninja": ["shadow fighter"],
    "ocean wave": ["wave"],
    "office building": ["skyscraper"],
    "old man": ["grandfather", "elderly man"],
    "open book": ["book"],
    "padlock": ["lock"],
    "paintbrush": ["brush"],
    "palm tree": ["palm"],
    "panda": ["panda bear"],
    "party popper": ["confetti"],
    "piano": ["keys of a piano"],
    "pickup truck": ["pickup"],
    "pig face": ["piglet"],
    "pile of poo": ["poop"],
    "pine tree": ["fir", "conifer"],
    "planet saturn": ["planet", "ringed planet"],
    "police officer": ["policeman"],
    "potted plant": ["house plant"],
    "rabbit face": ["bunny"],
    "racing car": ["formula one car"],
    "red apple": ["apple"],
    "rocket": ["rocket ship", "space rocket"],
    "rooster": ["cock"],
    "running shoe": ["sneaker"],
    "santa claus": ["father christmas"],
    "sea shell": ["snail shell"],
    "seedling": ["sprout"],
    "sheep": ["lamb"],
    "ship": ["ocean liner"],
    "shoe": ["leather shoe"],
    "shooting star": ["falling star"],
    "shopping cart": ["trolley"],
    "snow capped mountain": ["snowy mountain", "mountain with snow"],
    "soccer ball": ["football"],
    "soft drink": ["cup of cola"],
    "spaghetti": ["pasta", "noodles"],
    "spouting whale": ["whale with a fountain"],
    "stopwatch": ["timer"],
    "studio microphone": ["old microphone"],
    "sun": ["bright sun"],
    "sunglasses": ["dark glasses"],
    "target": ["bullseye"],
    "taxi": ["cab"],
    "teddy bear": ["stuffed bear"],
    "telephone": ["old telephone"],
    "television": ["tv"],
    "thunderstorm": ["storm cloud"],
    "t-rex": ["tyrannosaurus"],
    "tornado": ["whirlwind"],
    "trash can": ["bin"],
    "tree": ["oak tree"],
    "trophy": ["gold cup"],
    "tropical drink": ["cocktail with a straw"],
    "turtle": ["tortoise"],
    "ufo": ["flying saucer"],
    "violin": ["fiddle"],
    "watch": ["wristwatch"],
    "water drop": ["drop of water"],
    "wine glass": ["glass of wine"],
    "worm": ["earthworm"],
    "yarn": ["ball of wool"],
}


def article(name):
    """ "a", or "an" before a vowel that is heard: "an owl", "a unicorn"."""
    return "an" if name[0] in "aeio" or name.startswith(("um", "hour")) else "a"


def called(name):
    """A name as people type it.

    >>> called("red apple"), called("owl")
    ('a red apple', 'an owl')
    """
    return f"{article(name)} {name}"


def captions(name, style):
    """What a drawing of `name` in `style` may be called; the plain name first if the style is plain."""
    styled = f"{called(name)} {STYLES[style]}"
    if style not in PLAIN_STYLES:
        return [styled]
    others = [called(other) for other in SYNONYMS.get(name, ())]
    return [called(name), styled, f"a photo of {called(name)}", *others]


def coloured(name, colour):
    """
    >>> coloured("red apple", "orange"), coloured("owl", "blue")
    ('an orange apple', 'a blue owl')
    """
    words = [word for word in name.split() if word not in COLOURS]
    return called(" ".join([colour, *words]))


def on_background(text, colour):
    """
    >>> on_background("an owl", "yellow")
    'an owl on a yellow background'
    """
    return f"{text} on {called(colour)} background"
