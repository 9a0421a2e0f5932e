import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedspoke.data.cleaning.rules import RULES, CleanText, clean_text, left_out


def clean(text: str) -> str:
    """What is left of a text, however little it is."""
    return clean_text(text, ["too_short"]).text


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("look https://a.example/b?c=d#e, nice", "look , nice"),
        ("(see http://a.example/b_(c)) now", "(see ) now"),
        ("HTTPS://A.EXAMPLE and ftp://a.example/x", "and"),
        ("at www.a.co.uk today", "at today"),
        ("on youtu.be/x1 or bit.ly/2", "on or"),
        ("my shop is example.com now", "my shop is now"),
        ("Videohttps://youtu.be/x", "Video"),
        ("here 👉https://a.example/b👈", "here 👉 👈"),
        ("詳細はhttps://a.example/bを見て", "詳細は を見て"),
    ],
)
def test_web_addresses_are_removed(typed: str, left: str) -> None:
    assert clean_text(typed) == CleanText(text=left, changed=("urls",), dropped=None)


@pytest.mark.parametrize(
    "prose", ["We left late.So did they", "and/or, 3/4, he/she", "10.30pm", "file.txt", "...", "v1.2", "A.B."]
)
def test_a_forgotten_space_makes_no_address(prose: str) -> None:
    assert clean(prose) == prose


@pytest.mark.parametrize(
    "mail",
    [
        "anna@web.example",
        "a.b+c@x.co.uk",
        "jürgen.müller@web.de",
        "MAIL@EXAMPLE.ORG",
        "mailto:a@b.de",
        "a_b%c@d-e.museum",
        "x@bücher.de",
        "ａ＠ｂ.de",
    ],
)
def test_mail_addresses_are_masked_whole(mail: str) -> None:
    assert clean(f"write to {mail}, please") == "write to [email], please"
    assert clean(f"メールは{mail}です") == "メールは[email]です"


@pytest.mark.parametrize(
    "number",
    [
        *("+49 171 2345678", "+49 (0)171 234 56 78", "0049 171 2345678", "+1-650-253-0000", "+33 6 12 34 56 78"),
        *(
            "0171 2345678",
            "0171/2345678",
            "06 12 34 56 78",
            "06.12.34.56.78",
            "020 7183 8750",
            "0151-23-45-67-89",
            "(030) 2345 6789",
            "01712345678",
        ),
        *("(650) 253-0000", "650-253-0000", "650.253.0000", "(11) 91234-5678", "98765 43210", "612 345 678"),
        *(
            "٠١٠٠١٢٣٤٥٦٧",
            "０１７１２３４５６７８",
            "𝟎𝟏𝟕𝟏 𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
            "0️⃣1️⃣7️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣",
            "＋４９ １７１ 2345678",
            "0171\u200b234\u00ad56\u200d78",
        ),
    ],
)
def test_phone_numbers_are_masked(number: str) -> None:
    assert clean_text(f"here is {number}, bye") == CleanText(text="here is [phone], bye", changed=("phones",))
    assert clean(f"電話は{number}です") == "電話は[phone]です"


@pytest.mark.parametrize(
    "text", ["call me at 9876543210", "📞 9876543210", "WhatsApp: 9876543210", "llámame al 612345678", "微信 13812345678"]
)
def test_a_word_that_asks_for_a_call_makes_a_number_a_phones(text: str) -> None:
    assert "[phone]" in clean(text)


@pytest.mark.parametrize(
    "prose",
    [
        *("on 01.02.2023 - 05.02.2023", "from 01/02/2023 to 05/02/2023", "at 2019-05-12 18:30", "12.05.2019, 14:30 Uhr"),
        *("open 08.00-12.00 14.00-18.00", "Mo 09:00-12:00 14:00-18:00", "the years 1914-1918 1939-1945", "2019 2020 2021 2022"),
        *("for $1,250,000.00", "1.250.000.000 people", "100 000 000 people", "1 234 567,89 €", "0.12345678 ETH"),
        *("order 4029357733", "Order no. 0123456789", "Bestellnr. 0123456789", "invoice #0171234567", "#01712345678 day"),
        *(
            "at 48.137154, 11.576124",
            "in Boston, MA 02110-1301",
            "ISBN 978-3-16-148410-0",
            "IBAN DE89 3704 0044 0532 0130 00",
            "host 192.168.178.123",
        ),
        *(
            "digits 3 1 4 1 5 9 2 6 5 3 5",
            "IMG_20190512_123456 it is",
            "won 10-20-30-40-50",
            "P.IVA 01234567890",
            "Room 0211 0212 0213",
            "Km 0-10-20-30-40-50",
            "id 20190512123456",
        ),
    ],
)
def test_dates_prices_years_and_order_numbers_stay(prose: str) -> None:
    assert clean(prose) == prose


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("with @anna_s. and @Bob.K!", "with @user. and @user!"),
        ("よろしく@anna", "よろしく@user"),
        ("＠ａｎｎａ and @\u200banna, @@anna", "@user and @user, @@user"),
        ("thanks @50cent", "thanks @user"),
        ("with @[100001234567890:2048:Anna Schmidt] today", "with @user today"),
        ("with @[1:2:Anna [B] Bolika] and @[1:2:Anna [B Bolika] today", "with @user and @user today"),
        ("Danke @Jörg und @Élodie, @Müller_Bäckerei!", "Danke @user und @user, @user!"),
        ("gracias @josé_maría y @niño", "gracias @user y @user"),
        ("спасибо @Мария и @петя.иванов.", "спасибо @user и @user."),
        ("ευχαριστώ @Γιώργος, شكرا @أحمد_علي", "ευχαριστώ @user, شكرا @user"),
        ("धन्यवाद @राम_सिंह जी, ขอบคุณ @สมชาย ครับ", "धन्यवाद @user जी, ขอบคุณ @user ครับ"),
        ("謝謝@安娜，還有@ジョン・@홍길동", "謝謝@user，還有@user・@user"),
        ("よろしく@annaさん", "よろしく@userさん"),
        ("by @the-guy - and @anna-lena--again", "by @user - and @user--again"),
    ],
)
def test_names_of_other_people_are_masked(typed: str, left: str) -> None:
    assert clean_text(typed) == CleanText(text=left, changed=("handles",))


@pytest.mark.parametrize(
    "prose",
    [
        *("meet @ 5pm", "meet @5pm", "meet @ 10:30", "meet @10:30 am", "встреча @18ч", "open @5-7pm", "飲み会@5時"),
        *("three @ 2.50 each", "a lone @ here", "- @ -", "@。", "¡hola niñ@s y tod@s!"),
    ],
)
def test_a_time_or_a_price_is_no_name(prose: str) -> None:
    assert clean(prose) == prose


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Timeline photos",
            "MOBILE UPLOADS",
            "Instagram",
            "Chronik-Fotos",
            "Fotos de la biografía",
            "Photos du journal",
            "カバー写真",
        ),
        *(
            "Ada Lovelace added a new photo.",
            "Ada Lovelace updated her profile picture.",
            "Ada hat 3 neue Fotos hinzugefügt",
        ),
        *("IMG_20190512_123456.jpg", "DSC00012", "IMG-20190512-WA0003", "Screenshot 2023-01-02 at 10.11.12", "holiday.JPG"),
        "Instagram https://a.example/p/x",
    ],
)
def test_what_a_platform_or_a_camera_wrote_is_left_out(text: str) -> None:
    left = clean_text(text)

    assert (left.text, left.dropped) == ("", "boilerplate")


@pytest.mark.parametrize(
    "text", ["My first Instagram post", "We added a new photo. Look!", "Our shop is live", "Timeline photos of my life"]
)
def test_what_a_person_wrote_around_it_stays(text: str) -> None:
    assert clean_text(text) == CleanText(text=text)


@pytest.mark.parametrize("text", ["#sun #beach", "#夏", "😍 #sun @anna 😍", "#a, #b!"])
def test_texts_of_nothing_but_hashtags_are_left_out(text: str) -> None:
    assert clean_text(text).dropped == "hashtags"


@pytest.mark.parametrize("text", ["ok", "😍😍", "12345", "https://a.example", "@anna", "!!!", "anna@web.example 0171 2345678"])
def test_texts_of_too_few_letters_are_left_out(text: str) -> None:
    assert clean_text(text).dropped == "too_short"


@pytest.mark.parametrize("text", ["yes", "雪", "Sun #beach", "वाह"])
def test_a_word_is_enough(text: str) -> None:
    assert clean_text(text) == CleanText(text=text)


def test_a_text_of_nothing_is_no_rules_doing() -> None:
    assert clean_text(" \u200b<image>") == CleanText(text="")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("urls", "see https://a.example/b"),
        ("mail", "to a@web.example"),
        ("phones", "call +49 171 2345678"),
        ("handles", "hi @anna"),
        ("boilerplate", "Timeline photos"),
        ("hashtags", "#sunset"),
        ("too_short", "ok"),
    ],
)
def test_each_rule_of_texts_can_be_switched_off_by_its_name(rule: str, text: str) -> None:
    on, off = clean_text(text), clean_text(text, [rule])

    assert rule in RULES
    assert rule in (*on.changed, on.dropped)
    assert off == CleanText(text=text)


@pytest.mark.parametrize(("kind", "rule"), [("archived", "archived"), ("story", "stories")])
def test_a_post_is_left_out_by_its_kind_unless_the_rule_is_off(kind: str, rule: str) -> None:
    assert rule in RULES
    assert left_out(kind) == rule
    assert left_out(kind, [rule]) is None
    assert left_out("post") is None


def test_what_one_rule_takes_away_brings_together_what_another_finds() -> None:
    assert clean("0171 https://a.example 2345678 today") == "[phone] today"
    assert clean("@[12:34:Anna https://a.example/b] is here") == "@user is here"


PIECES = st.sampled_from(
    [
        *(
            "@",
            "anna",
            ".",
            "web.de",
            " ",
            "\n",
            "#",
            "sun",
            "://",
            "https",
            "/",
            "www.",
            "+49",
            "0171",
            "2345678",
            "(",
            ")",
            "-",
            "5pm",
            "12",
        ),
        *(
            "https://a.de/b",
            "anna@web.de",
            "@anna",
            "+49 171 2345678",
            "@[12:34:Anna Bo]",
            "[email]",
            "[phone]",
            "@user",
            "<",
            "image",
            ">",
        ),
        *(
            "\u200b",
            "\u200d",
            "é",
            "\u0301",
            "は",
            "👉",
            "１",
            "＠",
            "①",
            "٣",
            "\ufe0f",
            "\u20e3",
            "mailto:",
            ",",
            "tel",
            "]",
            "[",
            ":",
            "com",
            "ü",
            "Мария",
            "安娜",
            "रा",
        ),
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
@example("06@bob12345678")
@example("@bob.06 12345678")
@example("a@b.https://x.dede")
def test_a_clean_text_stays_as_it_is(typed: str) -> None:
    once = clean_text(typed)

    assert clean_text(once.text) == CleanText(text=once.text, dropped=None)


def disguised(digits: str, disguise: str) -> str:
    match disguise:
        case "wide":
            return digits.translate({ord("0") + number: 0xFF10 + number for number in range(10)})
        case "bold":
            return digits.translate({ord("0") + number: 0x1D7CE + number for number in range(10)})
        case "keycap":
            return re.sub(r"\d", lambda digit: f"{digit.group()}\ufe0f\u20e3", digits)
        case "joined":
            return "\u200d".join(digits)
    return digits


@given(
    region=st.sampled_from(["DE", "FR", "GB", "US", "IN", "BR", "IT", "ES", "NG", "JP", "TR", "ID", "MX", "EG", "VN", "UA"]),
    form=st.sampled_from([phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL]),
    disguise=st.sampled_from(["plain", "wide", "bold", "keycap", "joined"]),
    around=st.tuples(*[st.sampled_from(["", " ", ", ", "は", "👉", "\n", "(", ")", "tel:", "#"])] * 2),
)
def test_no_number_of_any_country_gets_through(region: str, form: int, disguise: str, around: tuple[str, str]) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert example
    number = phonenumbers.format_number(example, form)

    left = clean(f"hello{around[0]}{disguised(number, disguise)}{around[1]}there")

    assert not re.search(r"\d", left)
    assert "[phone]" in left


@pytest.mark.parametrize(
    "region",
    [
        *("US", "IN", "ID", "BR", "MX", "PH", "VN", "TH", "BD", "PK", "GB", "TR", "EG", "FR", "IT", "DE", "CO", "NG", "ES", "AR"),
        *("PL", "NL", "JP", "KR", "AU", "ZA", "SE", "UA", "CA", "CH", "AT", "BE"),
    ],
)
def test_a_mobile_is_masked_as_its_own_country_writes_it(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert example
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)

    assert clean(f"here is {number}, bye") == "here is [phone], bye"


@given(
    name=st.from_regex(r"[a-zäé0-9]([a-zäé0-9._+-]{0,20}[a-zäé0-9])?", fullmatch=True),
    host=st.from_regex(r"([a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?\.){1,3}[a-z]{2,6}", fullmatch=True),
    around=st.tuples(*[st.sampled_from(["", " ", ", ", "は", "👉", "\n", "(", '"', "<", ":"])] * 2),
)
def test_no_mail_address_gets_through(name: str, host: str, around: tuple[str, str]) -> None:
    left = clean(f"hello {around[0]}{name}@{host}{around[1]} there")

    assert host not in left
    assert f"{name}@" not in left
