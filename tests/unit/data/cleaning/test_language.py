import pytest

from fedspoke.data.cleaning.language import language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Wir waren heute am See und haben gegrillt.", "de"),
        ("Had a great time at the beach with the whole family", "en"),
        ("Hoy hemos ido a la playa con toda la familia", "es"),
        ("Nous sommes allés à la plage avec toute la famille", "fr"),
        ("Bom dia! Hoje fomos à praia com a família toda", "pt"),
        ("今日はいい天気ですね", "ja"),
        ("Сегодня мы были на пляже всей семьёй", "ru"),
        ("आज हम पूरे परिवार के साथ समुद्र तट पर गए", "hi"),
        ("ذهبنا اليوم إلى الشاطئ مع العائلة كلها", "ar"),
    ],
)
def test_the_language_of_a_sentence_is_noted(text: str, code: str) -> None:
    assert language(text) == code == language(text)


@pytest.mark.parametrize("text", ["", "ok", "lol", "😍😍😍", "12345", "Berlin", "asdf qwer", "#tbt"])
def test_what_is_too_short_to_tell_has_none(text: str) -> None:
    assert language(text) is None


def test_neither_masks_nor_hashtags_make_a_text_english() -> None:
    assert language("Wir waren am See [phone] [email] @user @user #love #happy #picoftheday #instagood") == "de"
