"""The closed word lists behind `phrases` and `layout`: colours, places, wearables, verbs, styles.

They are data, not code: a word that is missing only makes a layout plainer, never wrong input.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _lines(text: str) -> frozenset[str]:
    return frozenset(line.strip() for line in text.split(",") if line.strip())


# Colour name -> sRGB in 0..255. Names of the first row are the basic ones that captions use most.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 215, 40),
    "green": (60, 170, 75),
    "blue": (45, 105, 220),
    "purple": (135, 70, 190),
    "pink": (245, 140, 180),
    "brown": (130, 85, 50),
    "black": (30, 30, 32),
    "white": (250, 250, 250),
    "gray": (140, 142, 146),
    "teal": (20, 150, 150),
    "turquoise": (64, 208, 200),
    "cyan": (60, 210, 230),
    "magenta": (215, 50, 170),
    "violet": (150, 90, 220),
    "lime": (160, 220, 50),
    "navy": (25, 40, 100),
    "maroon": (125, 25, 40),
    "beige": (235, 220, 190),
    "gold": (225, 175, 50),
    "golden": (225, 175, 50),
    "silver": (190, 195, 200),
    "light blue": (150, 200, 250),
    "dark blue": (25, 45, 125),
    "light green": (150, 220, 140),
    "dark green": (20, 90, 45),
}
COLOUR_SPELLINGS = {"grey": "gray", "aqua": "cyan", "crimson": "red", "scarlet": "red", "lilac": "violet"}
RAINBOW = _words("rainbow colourful colorful multicolored multicoloured")

DETERMINERS = _words(
    "a an the this these those his her its their my your our one another each every any no very really so"
)
FILLERS = _words("is are was were be being been that which who while there it just please draw show me make")
NUMERALS = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
} | {str(number): number for number in range(2, 13)}
VAGUE_NUMERALS = _words("some several many few multiple various numerous")
GROUPS = _words("group herd flock crowd bunch pack couple lot lots pair")

SIZES = _words("big small tiny little large huge giant gigantic enormous mini miniature")
SMALL_SIZES = _words("small tiny little mini miniature")
ADJECTIVES = SIZES | _words(
    """cute happy sad angry funny smiling laughing crying old new young baby beautiful pretty ugly scary
    spooky evil good bad fat thin tall short long round square wooden metal plastic glass stone shiny dark
    light bright pale fluffy furry hairy fast slow hot cold wet dry fresh sweet spicy tasty delicious giant
    magic magical royal fancy modern ancient vintage retro futuristic simple crazy silly lonely friendly
    sleepy hungry colorful colourful rainbow empty full open closed broken clean dirty soft hard strong weak
    brave wild lovely adorable detailed realistic abstract minimalist cartoon"""
)

# Places and settings: the thing after "in", "on" or "at" becomes the picture's background.
PLACES = _words(
    """background backdrop beach forest woods jungle desert ocean sea sky space cosmos galaxy universe planet
    earth mars jupiter saturn venus mercury neptune uranus pluto moon sun mountain mountains hill hills
    valley canyon cliff volcano island lake river pond waterfall stream shore coast field meadow garden park
    farm yard lawn grass snow ice rain storm fog mist clouds night day dusk dawn sunset sunrise twilight
    evening morning winter summer autumn spring city town village street road highway alley square market
    station airport harbor harbour port dock bridge stadium playground school classroom library museum
    gallery office kitchen bathroom bedroom room hall hallway living-room basement attic restaurant cafe bar
    shop store supermarket hospital church temple castle palace tower house home barn stable zoo circus
    theater theatre stage cave dungeon ruins graveyard cemetery swamp marsh savanna savannah prairie tundra
    glacier countryside landscape scenery horizon underwater nebula stars orbit outdoors outside indoors
    heaven hell pool aquarium reef seabed wilderness rainforest orchard vineyard greenhouse pier skyline
    cityscape paris london tokyo rome venice york egypt japan china india france italy spain germany england
    america africa europe asia australia antarctica arctic hawaii california texas brazil mexico russia
    canada hollywood vegas berlin moscow sydney dubai cairo athens world wasteland apocalypse dream floor
    ground sand dunes steppe lagoon fjord bay wall sidewalk pavement runway court pitch arena battlefield
    laboratory lab factory gym bakery cinema subway suburb"""
)
# Buildings and the like are settings only when something is in or at them: "a cat on a house" sits on its
# roof.
ENCLOSURES = _words(
    """castle palace tower house home barn stable church temple hospital school library museum shop store bar
    cafe restaurant theater theatre room wall sun tower pool cinema factory bakery"""
)
# Settings where a thing hangs in the middle rather than standing low.
AIRY = _words(
    """space sky cosmos galaxy universe ocean sea underwater clouds nebula stars orbit night background
    backdrop aquarium reef water heaven fog mist"""
)
BACKDROPS = _words("background backdrop")
# Without an article these say how, not where: "a couple in love".
NOT_PLACES = _words(
    "love motion flight action color colour black white pieces general detail half circles line"
)

HEADWEAR = _words(
    """hat cap crown helmet sombrero beanie fez beret turban tiara wig hood headband bonnet bow halo
    headphones headscarf tophat mortarboard"""
)
EYEWEAR = _words("glasses sunglasses goggles mask monocle eyepatch spectacles eyeglasses")
CLOTHES = _words(
    """scarf tie necktie shirt t-shirt suit tuxedo dress coat jacket sweater costume pajamas pyjamas uniform
    armor armour cape cloak robe vest gloves boots shoes socks trousers jeans pants shorts skirt bikini
    swimsuit kimono apron necklace bowtie backpack raincoat hoodie"""
)
WEARABLES = HEADWEAR | EYEWEAR | CLOTHES

VERBS_HOLD = _words(
    """holding carrying eating drinking playing reading using hugging kissing catching throwing kicking
    lifting cooking smelling selling biting licking waving swinging pulling pushing juggling painting writing
    washing taking serving buying having"""
)
VERBS_RIDE = _words("riding driving steering piloting rowing")
VERBS_WEAR = _words("wearing")
# Words that only say that something is somewhere: dropped before a preposition.
POSTURES = _words(
    "sitting standing lying laying resting placed located hanging perched leaning living walking seated"
)
FINITE = {
    "sits": "sitting",
    "stands": "standing",
    "lies": "lying",
    "eats": "eating",
    "drinks": "drinking",
    "plays": "playing",
    "rides": "riding",
    "drives": "driving",
    "wears": "wearing",
    "holds": "holding",
    "carries": "carrying",
    "flies": "flying",
    "runs": "running",
    "jumps": "jumping",
    "reads": "reading",
    "looks": "looking",
    "chases": "chasing",
    "sleeps": "sleeping",
    "dances": "dancing",
    "swims": "swimming",
    "walks": "walking",
    "watches": "watching",
    "attacks": "attacking",
    "fights": "fighting",
    "invades": "invading",
}
# Nouns that end like verbs.
NOUNS_ING = _words(
    """king ring wing building string thing earring ceiling wedding spring sling pudding clothing morning
    evening viking duckling gosling dumpling stocking herring starling darling sibling crossing landing
    icing stuffing painting drawing bling ping bing dressing frosting railing shilling sapling yearling
    living pling awning lightning outing inning topping wellbeing being beijing boeing seedling fledgling
    changeling nothing something everything anything swing"""
)

# Spelling in a prompt -> the style's name; "" is a word that says "picture" and no style.
STYLES = {
    "emoji": "emoji",
    "emoticon": "emoji",
    "clip art": "clip art",
    "clipart": "clip art",
    "clip-art": "clip art",
    "3d render": "3D render",
    "3d rendering": "3D render",
    "3d model": "3D render",
    "3d image": "3D render",
    "render": "3D render",
    "rendering": "3D render",
    "pixel art": "pixel art",
    "pixelart": "pixel art",
    "sprite": "pixel art",
    "photo": "photo",
    "photograph": "photo",
    "drawing": "line drawing",
    "sketch": "line drawing",
    "line drawing": "line drawing",
    "outline": "line drawing",
    "icon": "flat icon",
    "flat icon": "flat icon",
    "cartoon": "clip art",
    "illustration": "clip art",
    "painting": "painting",
    "oil painting": "painting",
    "watercolor": "painting",
    "watercolour": "painting",
    "watercolor painting": "painting",
    "digital art": "painting",
    "sticker": "clip art",
    "portrait": "",
    "picture": "",
    "image": "",
    "art": "",
    "artwork": "",
    "scene": "",
    "view": "",
    "close up": "",
    "close-up": "",
}
# Styles that may stand before a noun without "of", and those that may follow it.
STYLES_BEFORE = ("pixel art", "clip art", "clipart", "3d render", "cartoon")
STYLES_AFTER = (
    "emoji",
    "clip art",
    "clipart",
    "pixel art",
    "icon",
    "sticker",
    "cartoon",
    "illustration",
    "3d render",
)
# Praise that prompts carry and that names nothing to draw.
TAGS = _lines(
    """4k, 8k, hd, uhd, highly detailed, detailed, very detailed, high quality, best quality, masterpiece,
    artstation, trending on artstation, unreal engine, octane render, cinematic lighting, cinematic,
    hyperrealistic, realistic, photorealistic, high resolution, award winning, studio lighting, sharp focus,
    intricate, beautiful"""
)

SURFACES = _words(
    """table desk chair armchair sofa couch bed bench stool shelf rug carpet mat box crate barrel rock stone
    cloud tree branch roof car truck bus boat ship raft skateboard surfboard bicycle bike motorcycle horse
    elephant camel plate tray cake pizza throne pedestal stump pillow mushroom turtle whale book piano drum
    house castle train tractor rocket wheel log cupboard dresser nightstand"""
)
CONTAINERS = _words(
    """box cup mug bowl basket bag bucket jar glass bottle car boat bathtub bath cage pot pan nest bed bus
    truck suitcase tub barrel spaceship rocket train teacup shell crate drawer oven fridge window sink
    toilet backpack"""
)
MOUNTS = _words(
    """horse bicycle bike motorcycle scooter elephant camel dragon unicorn skateboard surfboard dolphin whale
    turtle donkey pony ostrich car truck tractor bus boat rocket snowboard sled zebra giraffe cow pig lion
    tiger shark dinosaur snail broom broomstick"""
)
HANDHELD = _words(
    """guitar sword balloon umbrella flower book cup ball flag banana apple pizza camera phone fish lollipop
    pencil paintbrush violin trumpet microphone wand key candle lantern shield bone carrot hammer gift
    present heart hamburger icecream donut rose lamp drum bouquet fork spoon knife broom letter map
    telescope trophy star"""
)
ANIMATES = _words(
    """cat dog bear panda fox rabbit bunny mouse hamster monkey gorilla lion tiger wolf pig cow horse zebra
    giraffe elephant koala kangaroo penguin owl chicken rooster duck bird parrot eagle frog turtle crocodile
    dinosaur dragon unicorn snake fish shark whale dolphin octopus crab bee snail robot alien ghost snowman
    astronaut man woman boy girl person king queen prince princess knight wizard witch pirate clown santa
    doctor chef farmer detective ninja vampire zombie mermaid fairy elf genie superhero baby kid child
    monster squirrel hedgehog raccoon deer moose goat sheep camel llama sloth otter skunk beaver bat
    flamingo peacock swan turkey kitten puppy chick boar ox rat mammoth bison hippo hippopotamus rhino
    rhinoceros seal lizard t-rex sauropod firefighter astronaut teacher cook sailor cowboy soldier"""
)

# How a setting is said: on a beach, at night; without an article: in space; with the definite one: on the
# moon.
SAID_ON = _words(
    """beach moon mars jupiter saturn venus mercury pluto planet hill mountain island street road highway farm
    earth volcano stage grass lawn sand ground floor bridge ice background backdrop court runway sidewalk
    pavement pier cliff sea sun lake river playground coast shore dunes"""
)
SAID_AT = _words(
    """night sunset sunrise dusk dawn airport station harbor harbour stadium zoo twilight port"""
)
SAID_BARE = _words(
    """space night sunset sunrise dusk dawn twilight mars jupiter saturn venus mercury neptune uranus pluto
    winter summer autumn spring paris london tokyo rome venice egypt japan china india france italy spain
    germany america africa europe asia australia hawaii school orbit heaven hell"""
)
SAID_THE = _words(
    """moon sun sky sea ocean universe snow rain fog mist clouds woods mountains hills stars ruins arctic
    countryside sand grass dunes ice evening morning earth wilderness"""
)

# Nouns whose singular and plural are one word, or that only look like plurals.
ONE_FORM = _words(
    """abacus actress aircraft always asparagus athens athletics atlas bellows binoculars boss brass
    brontosaurus bus business cactus campus canvas chaos chess chips christmas circus citrus claus clothes
    compass crocus cross cyclops deer discus dress easter fish fries gas genius glass glasses goggles gps
    grass gymnastics headphones headquarters hibiscus hippopotamus his hummus indoors iris is jeans kiss las
    leggings lens lotus mars mass mathematics mess minus moose moss nachos nautilus news noodles octopus
    outdoors overalls pajamas pancreas pants paris pegasus physics platypus pliers plus princess pyjamas
    rhinoceros ruins salmon santa-claus scissors series sheep shorts shrimp sos spacecraft spaghetti species
    stairs stegosaurus sudan swiss tennis texas thermos this tongs triceratops trousers trout tweezers
    tyrannosaurus uranus us vegas venus virus waitress walrus"""
)
