"""The demo's products. Every run of `manage.py demo` announces a drop of the next one, in this order."""

from dataclasses import dataclass

from shop.models import Picture, Product

Face = Product.Face
Role = Picture.Role


@dataclass(frozen=True)
class Piece:
    """A variant, and how many units of it a drop has."""

    sku: str
    quantity: int
    options: dict[str, str]
    swatch: str = ""


@dataclass(frozen=True)
class Shot:
    """A picture. `file` is the beginning of its files' names; `sku` is set if it shows one variant only."""

    file: str
    role: Picture.Role
    alt: str
    sku: str = ""


@dataclass(frozen=True)
class Item:
    """A product with its variants, pictures and price."""

    slug: str
    name: str
    tagline: str
    story: str
    facts: str
    colours: tuple[str, str, str]  # background (ground), text (ink), accent (signal)
    face: Product.Face
    price: int  # in cents
    pieces: tuple[Piece, ...]
    shots: tuple[Shot, ...]


ZERO_KG = Item(
    slug="0-kg",
    name="0 kg",
    tagline="A kettlebell that weighs nothing, in three sizes.",
    story=(
        "A kettlebell is an expensive way to store gravity. This one stores none. The shell is spun from "
        "very thin aluminium, filled with helium until the two cancel out, and powder-coated to look as "
        "though it could break a foot. It stays where it is put, including in mid-air.\n\n"
        "There are three sizes for three levels of ambition. All of them weigh 0 kg, so the price per "
        "kilogram cannot be calculated. Keep away from ceiling fans. Shown at rest."
    ),
    facts=(
        "Aluminium, helium, powder coat. Ball 144, 200 or 260 mm across; 192, 267 or 347 mm high. 0 kg. One "
        "price in every size, since they weigh the same."
    ),
    colours=("#bcddf4", "#0e1a22", "#0b3bd6"),
    face=Face.ARCHIVO_BLACK,
    price=12000,
    pieces=(
        Piece("ZERO-S", 200, {"size": "S"}),
        Piece("ZERO-M", 200, {"size": "M"}),
        Piece("ZERO-L", 200, {"size": "L"}),
    ),
    shots=(
        Shot(
            "0-kg-hero",
            Role.HERO,
            "A black kettlebell marked “0 kg” hangs in the air above its own soft shadow, tilted a little.",
        ),
        Shot(
            "0-kg-detail",
            Role.DETAIL,
            "Close view of the kettlebell's rough black coat and its raised white letters, “0 kg”.",
        ),
        Shot(
            "0-kg-wide",
            Role.WIDE,
            "Three black kettlebells marked “0 kg”: the small one stands, the middle one hovers, the large "
            "one floats highest.",
        ),
    ),
)

NTH_PLACE = Item(
    slug="nth-place",
    name="Nth Place",
    tagline="A trophy, engraved with your place in the line that bought it.",
    story=(
        "Every drop has winners, and until now nobody told them by how much. Nth Place is a turned cup with "
        "two handles, engraved with the place you held in the line that bought it, whatever that place was. "
        "The engraving is done afterwards and is final. There is no ceremony.\n\n"
        "You choose the finish; the line chooses the number. Gold is the most common finish and bronze the "
        "rarest, which is the only respect in which the podium has been adjusted."
    ),
    facts="Spun brass, plated and lacquered; black plinth; 314 × 155 × 295 mm, 1.9 kg. One per person.",
    colours=("#f4b4c1", "#2b0a14", "#8a0f2e"),
    face=Face.ABRIL_FATFACE,
    price=9600,
    pieces=(
        Piece("NTH-GLD", 1900, {"finish": "Gold"}, "#d8b04c"),
        Piece("NTH-SLV", 500, {"finish": "Silver"}, "#c9ccd1"),
        Piece("NTH-BRZ", 100, {"finish": "Bronze"}, "#b9794c"),
    ),
    shots=(
        Shot(
            "nth-place-hero",
            Role.HERO,
            "A gold trophy cup with two ring handles on a round black plinth; the cup is engraved “2,417th”, "
            "the plinth “For waiting in line”.",
        ),
        Shot(
            "nth-place-detail",
            Role.DETAIL,
            "Close view of the gold cup from above its lip, the engraved “2,417th” sunk into the metal and "
            "filled with black.",
        ),
        Shot(
            "nth-place-wide",
            Role.WIDE,
            "Three trophies on pink: gold in front with “2,417th”, silver behind it with “88th”, bronze with “1st”.",
        ),
        Shot(
            "nth-place-silver", Role.HERO, "The same trophy in polished silver, engraved “88th”.", "NTH-SLV"
        ),
        Shot("nth-place-bronze", Role.HERO, "The same trophy in bronze, engraved “1st”.", "NTH-BRZ"),
    ),
)

PLEASE_WAIT = Item(
    slug="please-wait",
    name="Please Wait",
    tagline="A crossing button for indoors. It is not connected to anything, and says so.",
    story=(
        "Many crossing buttons do nothing: the lights change when they would have changed anyway. This one "
        "has been relieved of the pretence. It has a cast yellow housing, a steel dome with four millimetres "
        "of travel, a lamp that says WAIT, and a cable that goes nowhere.\n\n"
        "The lamp takes two AA cells. The button takes nothing. Press it at your desk, in a meeting, or "
        "beside the kettle. We compared one press with forty and found no difference, and a strong "
        "preference for forty."
    ),
    facts="Cast aluminium, powder-coated; spun steel; rubber foot and cable; 172 × 200 × 353 mm, 2.4 kg.",
    colours=("#434a52", "#f4f1e8", "#ffc20a"),
    face=Face.OVERPASS,
    price=14000,
    pieces=(Piece("WAIT-YEL", 800, {}),),
    shots=(
        Shot(
            "please-wait-hero",
            Role.HERO,
            "A yellow crossing button on a short post: a lit sign reads “WAIT” above a large steel dome, and "
            "small letters below read “Not connected”.",
        ),
        Shot(
            "please-wait-detail",
            Role.DETAIL,
            "Close view of the amber lamps that spell “WAIT” and of the polished dome in its black rubber collar.",
        ),
        Shot(
            "please-wait-wide",
            Role.WIDE,
            "The yellow button at left; its black cable crosses the dark floor and ends, cut off, at right.",
        ),
    ),
)

RIGHT_OF_WAY = Item(
    slug="right-of-way",
    name="Right of Way",
    tagline="A porcelain traffic cone. Traffic has to be careful of it.",
    story=(
        "The traffic cone is the most obeyed object in any city, and nobody has ever been impressed by one. "
        "Right of Way is slip-cast porcelain, dipped twice in orange glaze and fired at 1,280 degrees. It "
        "keeps a parking space free in the ordinary manner, except that drivers now avoid it for its sake "
        "and not for theirs.\n\n"
        "The warning on the white band refers to the cone. Not stackable. It survives everything that a road "
        "has to offer, apart from traffic."
    ),
    facts="Porcelain, glaze; 250 × 250 × 360 mm, 3.1 kg.",
    colours=("#ece6d8", "#1c1a17", "#b23200"),
    face=Face.BARLOW_CONDENSED,
    price=38000,
    pieces=(Piece("ROW-ORG", 150, {}),),
    shots=(
        Shot(
            "right-of-way-hero",
            Role.HERO,
            "A glossy orange porcelain traffic cone with two white bands; the lower band reads “Fragile”.",
        ),
        Shot(
            "right-of-way-detail",
            Role.DETAIL,
            "Close view of the glazed cone, a studio lamp reflected along it, with “Fragile” set into the white band.",
        ),
        Shot(
            "right-of-way-wide",
            Role.WIDE,
            "The orange porcelain cone alone at the right of an empty pale room.",
        ),
    ),
)

ITEMS = (ZERO_KG, NTH_PLACE, PLEASE_WAIT, RIGHT_OF_WAY)
