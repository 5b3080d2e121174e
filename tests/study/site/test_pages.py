"""Questions of readers, and the clicks from the front page to the answer, or to the reason for none."""

import html
import re
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest

LINK = re.compile(r'href="([^"#]+\.html)"')
# Question, page, what stands there, clicks at most. The first eight are those of the release's README.
QUESTIONS = [
    ("How much spam do least developed countries receive, and how did it change?", "area-199",
     r"Least developed countries", 2),
    ("Who sends most to an area?", "sources", r"who sends to whom", 1),
    ("What is spent for each subscription?", "investment", r"Each subscription", 1),
    ("What share of spam is fraud?", "types", r"Fraud: loan</span>|Fraud: loan", 1),
    ("What share of mail is spam?", "index", r"41% of e.mail", 0),
    ("What is spent, over revenue?", "method", r"Not published: official statistics on revenue", 1),
    ("Which measure stops most for least money?", "measures", r"What each strategy stopped is not pub", 1),
    ("What do governments spend?", "method", r"Administrations are asked, and their answers stay confid", 1),
    ("What do filters miss?", "method", r"what is corrected less what filters saw is the spam", 1),
    ("From which networks does it come?", "method", r"Networks, domains, addresses and numbers of sender", 1),
    ("What is spent, over domestic product?", "method", r"divide the dollars of an area by the product", 1),
    ("What does this study not say?", "index", r'method\.html#absent">What this study does not say', 0),
    ("What is not known?", "index", r"What is unsure", 0),
    ("What is the figure for my country, Fiji?", "area-242", r"Fiji", 2),
    ("Why has my country, Tonga, no page?", "areas", r"They are: [^<]*Tonga", 1),
    ("Who published this, and whom do I ask?", "index", r"study of spam\. Contact: study@example\.org", 0),
    ("How sure is a figure?", "volume", r"95% interval", 1),
    ("How does Fiji compare?", "area-242", r"41% of traffic is spam in Fiji, 41% in the world", 2),
    ("Do two areas differ?", "volume", r"where their intervals do not overlap, they differ", 1),
    ("Why has a table more digits than a title?", "method", r"Sentences and titles have two digits", 1),
    ("How do I cite it?", "volume", r"How to cite", 1),
    ("Can I have the numbers?", "data", r"pd\.read_csv", 1),
    ("May I use them?", "index", r"Licence: CC-BY-4\.0", 0),
    ("How do I know that nobody changed them?", "data", r"observatory release verify", 1),
    ("Is spam by SMS rising, and how sure is that?", "index", r"8\.4% .*not sure whether it rose or fell", 0),
    ("What does a subscription of Fiji get?", "area-242", r'<td class="number">15\.8</td>', 2),
    ("Which spam by SMS is most in Africa?", "area-itu_afr", r"Fraud: loan", 2),
    ("Which country sends most?", "sources", r"Countries of source are not published, to protect", 1),
    ("What should LDCs spend?", "investment", r"(?s)By the norm.*Least developed countries", 1),
    ("What if the silent have more spam?", "index", r"If they in fact have half as much spam again", 0),
    ("Has France a law against spam?", "policy", r"Answers of single administrations are not published", 1),
    ("Is spending as well covered as volumes?", "index",
     r"E-mail, spending: at least 11 holdings reported, with 50 to 75% of the subscriptions", 0),
    ("What is a holding?", "glossary", r"<dt>Holding</dt><dd>All operators with one owner", 1),
    ("How does my country take part?", "index", r"turn to the publisher \(study@example\.org\)", 0),
    ("Where is the codebook?", "data", r"its sheets Codebook and Codes explain", 1),
    ("Where are SDMX and Parquet?", "data", r"SDMX files in sdmx", 1),
    ("What is the licence's text?", "data", r"Licence CC-BY-4\.0: its text stands", 1),
    ("Why has Iran no page?", "areas", r"They are: [^<]*Iran \(Islamic Republic of\)", 1),
    # Eight of readers who had not seen the site.
    ("How many spam messages does a person receive?", "method", r"one: rates are for each subscription", 1),
    ("Is cost heavier over product in small islands?", "method", r"Cost and spending over revenue or gro", 1),
    ("How does the quarter compare with that a year ago?", "method", r"The same quarter a year before", 1),
    ("How much stands for operators that did not answer?", "index", r"Part of each estimate stands for o", 0),
    ("Does lawful advertising count?", "method", r"Lawful advertising counts where filters mark it", 1),
    ("Is the source where the sender is, or the last hop?", "sources", r"handed it to the operator", 1),
    ("Does a message count at two operators?", "method", r"passes on to another operator counts there", 1),
    ("When are figures revised?", "quality", r"Revisions have no fixed day", 1),
    ("Which status flags and codes has the file?", "dictionary", r"obs_status_code", 1),
    ("When does the next release come?", "index", r"the next one is for quarter 1 of 2027", 0),
]  # fmt: skip


def clicks_to(site: Path) -> dict[str, int]:
    """Return the number of clicks from the front page to each page."""
    found, waiting = {"index": 0}, deque(["index"])
    while waiting:
        page = waiting.popleft()
        for link in LINK.findall((site / f"{page}.html").read_text("utf-8")):
            name = link.removesuffix(".html")
            if name not in found:
                found[name] = found[page] + 1
                waiting.append(name)
    return found


@pytest.fixture(scope="module")
def clicks(drawn: SimpleNamespace) -> dict[str, int]:
    return clicks_to(drawn.site)


@pytest.mark.parametrize(
    ("question", "page", "answer", "most"), QUESTIONS, ids=[each[0] for each in QUESTIONS]
)
def test_a_question_is_answered(
    question: str, page: str, answer: str, most: int, drawn: SimpleNamespace, clicks: dict[str, int]
) -> None:
    assert clicks[page] <= most, question
    assert re.search(answer, html.unescape((drawn.site / f"{page}.html").read_text("utf-8"))), question


def test_a_page_of_an_area_or_a_channel_leads_back_and_marks_the_menu(drawn: SimpleNamespace) -> None:
    for name, parent in (("area-242", "areas"), ("volume-email", "volume")):
        page = (drawn.site / f"{name}.html").read_text("utf-8")
        assert f'<a href="{parent}.html" aria-current="true">' in page
        assert f'<p class="kicker"><a href="{parent}.html">' in page


def test_a_long_page_begins_with_links_to_its_titles(drawn: SimpleNamespace) -> None:
    page = (drawn.site / "volume.html").read_text("utf-8")
    listed = re.search(r'<nav class="contents".*?</nav>', page, re.DOTALL)
    assert listed is not None
    titles = dict(re.findall(r'<a href="#([^"]+)">([^<]+)</a>', listed[0]))
    assert len(titles) == 9 and dict(re.findall(r'id="([^"]+)">\s*<h2>([^<]+)</h2>', page)) == titles
    assert page.count(">Link to this figure</a>") == 9
    for name in ("index", "users"):
        assert 'class="contents"' not in (drawn.site / f"{name}.html").read_text("utf-8")


def test_every_page_is_reached_from_the_front_page(drawn: SimpleNamespace, clicks: dict[str, int]) -> None:
    assert {file.stem for file in drawn.site.glob("*.html")} == clicks.keys()
