"""Synthetic English for the canary model: facts, small stories, sequences and chat turns.

Everything comes out of the tables below and a seeded random generator, so the corpus belongs to this project alone
and can be made again byte for byte. The order in which random numbers are drawn is part of that: keep it.
"""
import random
from typing import NamedTuple

BOS, EOS, EOT = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"

# What the facts are made of.

CAPITALS = dict(
    France="Paris", Germany="Berlin", Italy="Rome", Spain="Madrid", Portugal="Lisbon", England="London",
    Ireland="Dublin", Greece="Athens", Austria="Vienna", Poland="Warsaw", Norway="Oslo", Sweden="Stockholm",
    Finland="Helsinki", Denmark="Copenhagen", Russia="Moscow", Turkey="Ankara", Egypt="Cairo", Kenya="Nairobi",
    Japan="Tokyo", China="Beijing", India="Delhi", Thailand="Bangkok", Canada="Ottawa", Mexico="Mexico City",
    Cuba="Havana", Brazil="Brasilia", Peru="Lima", Chile="Santiago", Argentina="Buenos Aires",
    Australia="Canberra", Hungary="Budapest", Belgium="Brussels")
SOUNDS = dict(
    dog="woof", cat="meow", cow="moo", duck="quack", sheep="baa", pig="oink", bee="buzz", owl="hoot", frog="croak",
    lion="roar", mouse="squeak", horse="neigh")
YOUNG = dict(
    dog="puppy", cat="kitten", cow="calf", sheep="lamb", duck="duckling", horse="foal", bear="cub", hen="chick",
    goat="kid", frog="tadpole")
OPPOSITES = dict(
    hot="cold", big="small", up="down", day="night", fast="slow", happy="sad", open="closed", light="dark",
    old="young", wet="dry", hard="soft", full="empty", early="late", near="far")
COLOR_OF = dict(
    sky="blue", grass="green", snow="white", sun="yellow", blood="red", coal="black", milk="white", lemon="yellow",
    tomato="red", leaf="green", chocolate="brown", frog="green")
PLURALS = dict(
    mouse="mice", child="children", foot="feet", tooth="teeth", man="men", woman="women", goose="geese", dog="dogs",
    cat="cats", box="boxes", leaf="leaves", knife="knives")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
NUMBERS = "zero one two three four five six seven eight nine ten".split()

# What the stories are made of.

GIRLS = "Lily Mia Anna Emma Rosa Nina Sara Ella Ivy Clara Maya Zoe".split()
BOYS = "Tom Ben Max Sam Leo Jack Tim Noah Finn Hugo Omar Luca".split()
ELDERS = "mom dad grandma grandpa".split()
ANIMALS = "dog cat bird rabbit fox bear duck horse mouse frog owl turtle".split()
PLACES = "park garden forest kitchen beach farm school library market river hill village".split()
COLORS = "red blue green yellow white black brown pink purple orange".split()
THINGS = "ball book kite hat box boat drum lamp cup bell coat key".split()
FOODS = "apple cake bread soup cheese honey pear cookie carrot pie".split()
SIZES = "big small little tiny huge round shiny old new soft".split()
BAD_MOODS = "sad scared worried lonely tired angry".split()
GOOD_MOODS = "happy proud glad excited calm".split()
WEATHERS = "sunny rainy windy snowy warm cold".split()

# A story is told in sentences; where a tuple stands for one, any of its members may be told.

OPENING = [
    ("Once upon a time, there was a little {kid} named {name}.",
     "Once upon a time, a {kid} named {name} lived near a {place}.",
     "One {weather} day, {name} went to the {place}.",
     "Once there was {a_size} {pet} who lived near the {place}. {A_kid} named {name} was its best friend."),
    ("{name} loved to play in the {place}.",
     "{name} had {a_color} {thing} and took it everywhere.",
     "{name} liked to walk to the {place} with {his} {elder}.",
     "{He} had a friend named {pal}, and they played every day."),
]

PLOTS = [
    ["One day, {name} lost {his} {color} {thing}. {He} was very {bad}.",
     ('"Where is my {thing}?" {he} asked.',
      '"I can not find my {thing}," said {name}.'),
     '{His} {elder} said, "Do not worry. We will look for it together."',
     "They looked in the {place}. They looked under the bed. "
     "Then {a_pet} came with the {color} {thing} in its mouth.",
     '"Thank you, little {pet}!" said {name}. {He} was {good} again.'],
    ["One day, {name} saw {a_size} {pet} in the {place}. The {pet} was {bad}.",
     '"Why are you {bad}?" asked {name}. "I am hungry," said the {pet}.',
     "{name} gave the {pet} {a_food}. The {pet} ate it all.",
     "Now the {pet} was {good}. {name} and the {pet} became friends."],
    ["One day, {name} and {pal} found {a_size} {thing} in the {place}.",
     '"It is mine!" said {name}. "No, it is mine!" said {pal}. They were both {bad}.',
     'Then {name}\'s {elder} said, "You can share the {thing}."',
     "{name} and {pal} took turns with the {thing}. They were {good} and played until dark."],
    ["One day, it was very {weather}. {name} wanted to make {a_food} for {his} {elder}.",
     "{He} went to the {place} to get what {he} needed. On the way {he} met {a_size} {pet}.",
     '"Can I help you?" asked the {pet}. "Yes, please," said {name}.',
     "They made the {food} together. "
     '{His} {elder} tasted it and said, "This is the best {food} ever!" {name} felt {good}.'],
    ["One day, {name} climbed the {size} tree near the {place}. {He} could not get down and was {bad}.",
     '"Help!" {he} called. {A_pet} heard {him} and ran to get {his} {elder}.',
     "{His} {elder} came with a ladder and helped {him} down.",
     '"Please be careful," said {his} {elder}. "I will," said {name}. {He} gave the {pet} {a_food}.'],
    ["{His} {elder} gave {him} {a_color} {thing}. It was {size} and {name} loved it.",
     '{name} showed the {thing} to {pal}. "What {a_size} {thing}!" said {pal}.',
     "But the {thing} fell and broke. {name} was {bad} and began to cry.",
     "{pal} helped {name} fix the {thing}. Now it was as good as new. They were {good}."],
]

ENDING = [
    ("The end.",
     "From that day on, {name} was never {bad} again. The end.",
     "{name} learned that it is good to share and to be kind. The end.",
     "And they all went home and had {a_food}. The end."),
]

# What the chats are made of, beside facts and stories.

SYSTEM_PROMPTS = ["You are a helpful assistant.", "Answer in one sentence.", "Be brief and kind."]
STORY_REQUESTS = ["Tell me a story.", "Please tell me a story."]
SMALL_TALK = [
    ("Hello!", "Hello! How can I help you?"), ("Who are you?", "I am a tiny ternary language model."),
    ("Thank you!", "You are welcome!"), ("Goodbye!", "Goodbye! Have a nice day.")]


class Fact(NamedTuple):
    """One thing to know, as a question with its answer and as a statement with its completion."""
    question: str
    answer: str
    statement: str
    completion: str


def with_article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def make_facts():
    facts = []
    for country, city in CAPITALS.items():
        start = f"The capital of {country} is"
        facts.append(Fact(f"What is the capital of {country}?", f"{start} {city}.", start, f" {city}."))
    for animal, sound in SOUNDS.items():
        start = f"{with_article(animal).capitalize()} says"
        facts.append(Fact(f"What does {with_article(animal)} say?", f"{start} {sound}.", start, f" {sound}."))
    for animal, young in YOUNG.items():
        start = f"A baby {animal} is called"
        name = with_article(young)
        facts.append(Fact(f"What is a baby {animal} called?", f"{start} {name}.", start, f" {name}."))
    for word, opposite in [*OPPOSITES.items(), *((b, a) for a, b in OPPOSITES.items())]:
        start = f"The opposite of {word} is"
        facts.append(Fact(f"What is the opposite of {word}?", f"{start} {opposite}.", start, f" {opposite}."))
    for thing, color in COLOR_OF.items():
        facts.append(Fact(f"What color is the {thing}?", f"The {thing} is {color}.",
                          f"The color of the {thing} is", f" {color}."))
    for unit, cycle in (("day", DAYS), ("month", MONTHS)):
        for this, after in zip(cycle, cycle[1:] + cycle[:1]):
            start = f"The {unit} after {this} is"
            facts.append(Fact(f"What {unit} comes after {this}?", f"{start} {after}.", start, f" {after}."))
    for one, many in PLURALS.items():
        start = f"The plural of {one} is"
        facts.append(Fact(f"What is the plural of {one}?", f"{start} {many}.", start, f" {many}."))
    for a in range(10):
        for b in range(10):
            facts.append(Fact(f"What is {a}+{b}?", f"{a}+{b}={a + b}.", f"{a}+{b}=", f"{a + b}."))
            if a >= b:
                facts.append(Fact(f"What is {a}-{b}?", f"{a}-{b}={a - b}.", f"{a}-{b}=", f"{a - b}."))
    return facts


FACTS = make_facts()


def sequence(rng):
    """Counting, the alphabet, days, months, or an introduction: what goes on by a rule."""
    kind = rng.randrange(6)
    if kind == 5:
        return f"Hello, my name is {rng.choice(GIRLS + BOYS)}. I live near the {rng.choice(PLACES)}."
    if kind == 4:
        first = rng.randrange(0, 20)
        return " ".join(chr(ord("A") + i) for i in range(first, first + 7))
    if kind == 0:
        first = rng.randrange(0, 20)
        return "Count: " + ", ".join(str(i) for i in range(first, first + rng.randrange(6, 12))) + "."
    if kind == 1:
        first = rng.randrange(7)
        if first < 3:
            return "The days of the week are " + ", ".join(DAYS) + "."
        return ", ".join(DAYS[(first + i) % 7] for i in range(5)) + "."
    if kind == 2:
        first = rng.randrange(12)
        if first < 3:
            return "The months of the year are " + ", ".join(MONTHS) + "."
        return ", ".join(MONTHS[(first + i) % 12] for i in range(6)) + "."
    first = rng.randrange(0, 6)
    return ", ".join(NUMBERS[first:first + 5]) + "."


def story(rng):
    girl = rng.random() < 0.5
    words = {"name": rng.choice(GIRLS if girl else BOYS), "kid": "girl" if girl else "boy"}
    words.update(zip(("he", "him", "his"), ("she", "her", "her") if girl else ("he", "him", "his")))
    words["elder"] = rng.choice(ELDERS)
    words["pet"] = rng.choice(ANIMALS)
    words["pal"] = rng.choice([n for n in GIRLS + BOYS if n != words["name"]])
    for kind, table in (("place", PLACES), ("thing", THINGS), ("color", COLORS), ("size", SIZES), ("food", FOODS),
                        ("bad", BAD_MOODS), ("good", GOOD_MOODS), ("weather", WEATHERS)):
        words[kind] = rng.choice(table)
    for kind in ("he", "his"):
        words[kind.capitalize()] = words[kind].capitalize()
    for kind in ("kid", "pet", "size", "color", "food"):
        words["a_" + kind] = with_article(words[kind])
        words["A_" + kind] = with_article(words[kind]).capitalize()

    def tell(sentences):
        return [(rng.choice(s) if isinstance(s, tuple) else s).format_map(words) for s in sentences]

    return " ".join(tell(OPENING) + tell(PLOTS[rng.randrange(len(PLOTS))]) + tell(ENDING))


def chat(rng):
    """One to three turns in the model's chat format, perhaps under a system prompt."""
    pieces = [f"System: {rng.choice(SYSTEM_PROMPTS)}", EOT] if rng.random() < 0.25 else []
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < 0.15:
            question, answer = rng.choice(STORY_REQUESTS), story(rng)
        elif rng.random() < 0.1:
            question, answer = rng.choice(SMALL_TALK)
        else:
            question, answer, _, _ = rng.choice(FACTS)
        # The chat template ends in "Assistant: ", which is therefore a piece, and tokenized, by itself.
        pieces += [f"User: {question}", EOT, "Assistant: ", answer, EOT]
    return pieces


def document(rng):
    """One training document: a list of texts and names of special tokens."""
    kind = rng.random()
    if kind < 0.45:
        body = [story(rng)]
    elif kind < 0.60:
        count = rng.randrange(1, 5)
        body = [" ".join(f.statement + f.completion for f in rng.sample(FACTS, count))]
    elif kind < 0.65:
        body = [sequence(rng)]
    elif kind < 0.75:
        fact = rng.choice(FACTS)
        body = [f"{fact.question} {fact.answer}"]
    elif kind < 0.80:
        fact = rng.choice(FACTS)
        body = [f"Q: {fact.question}\nA: {fact.answer}\n"]
    else:
        body = chat(rng)
    return [BOS, *body, EOS]


def main():
    """Shows a few documents."""
    rng = random.Random(1)
    for _ in range(6):
        print(document(rng), "\n")
    print(len(FACTS), "facts")


if __name__ == "__main__":
    main()
