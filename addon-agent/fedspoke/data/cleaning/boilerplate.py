"""Texts that no person typed: what the platforms call their albums and activities, and what cameras call their files."""

import re

# The albums that Facebook makes by itself, and what stands where there are no words, by language.
_TITLES = {
    "": "facebook|instagram|whatsapp|stories|reels|posted by instagram|via instagram|shared from instagram",
    "en": "timeline photos|mobile uploads|profile pictures|cover photos|wall photos|instagram photos|ios photos|untitled album",
    "ar": "صور اليوميات|تحميلات الهاتف المحمول|صور الملف الشخصي|صور الغلاف",
    "da": "tidslinjebilleder|billeder fra mobil|profilbilleder|coverbilleder",
    "de": "chronik-fotos|chronikfotos|handy-uploads|profilbilder|titelbilder|pinnwand-fotos|pinnwandfotos|instagram-fotos",
    "es": "fotos de la biografía|fotos subidas con el celular|subidas con el móvil|subidas con el celular|fotos del perfil|"
    "fotos de perfil|fotos de portada|fotos del muro|fotos de instagram",
    "fr": "photos du journal|téléchargements mobiles|photos de profil|photos de couverture|photos du mur|photos instagram",
    "id": "foto kronologi|foto linimasa|unggahan seluler|foto profil|foto sampul",
    "it": "foto del diario|caricamenti dal cellulare|immagini del profilo|immagini di copertina|foto della bacheca",
    "ja": "タイムラインの写真|モバイルアップロード|プロフィール写真|カバー写真",
    "nl": "tijdlijnfoto's|mobiele uploads|profielfoto's|omslagfoto's|prikbordfoto's|instagramfoto's",
    "pl": "zdjęcia na osi czasu|zdjęcia z osi czasu|przesłane z telefonu|zdjęcia profilowe|zdjęcia w tle",
    "pt": "fotos da linha do tempo|fotos da cronologia|uploads de celular|carregamentos por telemóvel|fotos do perfil|"
    "fotos de perfil|fotos da capa|fotos de capa|fotos do mural|fotos do instagram",
    "ru": "фото из хроники|фото хроники|фотографии профиля|фото профиля|фото обложки|загрузки с мобильного",
    "sv": "tidslinjebilder|mobiluppladdningar|profilbilder|omslagsbilder",
    "tr": "zaman tüneli fotoğrafları|mobil yüklemeler|profil resimleri|profil fotoğrafları|kapak fotoğrafları",
    "vi": "ảnh trên dòng thời gian|tải lên từ di động|tải lên di động|ảnh đại diện|ảnh bìa",
}
_KNOWN = frozenset(title for titles in _TITLES.values() for title in titles.split("|"))

# What Facebook writes as a post's title ("Ada Lovelace added a new photo."), and older exports repeat as its text.
_ACTIVITIES = (
    r"(?:added|shared|posted|uploaded|updated|changed) (?:an?|\d+|his|her|their) (?:new )?"
    r"(?:photos?|pictures?|videos?|posts?|links?|memory|memories|story|album|profile (?:picture|photo|video)|cover photo|status)",
    r"hat (?:ein(?:en?)?|\d+|sein|ihr) (?:neues? )?(?:fotos?|videos?|beitrag|link|erinnerung|profilbild|titelbild) "
    r"(?:hinzugefügt|geteilt|gepostet|aktualisiert|geändert)",
    r"(?:agregó|ha añadido|añadió|compartió|ha compartido|actualizó|publicó) (?:una?|\d+|su) (?:nueva )?"
    r"(?:fotos?|v[ií]deos?|publicación|enlace|recuerdo|foto de(?:l perfil| perfil| portada))",
    r"a (?:ajouté|partagé|publié|mis à jour|changé) (?:une?|\d+|sa) (?:nouvelle )?"
    r"(?:photos?|vidéos?|publication|lien|souvenir|photo de (?:profil|couverture))",
    r"(?:adicionou|compartilhou|partilhou|publicou|atualizou) (?:uma?|\d+|a|sua) (?:nova )?"
    r"(?:fotos?|vídeos?|publicação|link|memória|foto d[aeo] (?:perfil|capa))",
    r"ha (?:aggiunto|condiviso|pubblicato|aggiornato) (?:una?|\d+|la sua) (?:nuova )?"
    r"(?:foto|video|post|link|ricordo|immagine (?:del profilo|di copertina))",
)
_ACTIVITY = re.compile(rf"[^\n]{{1,80}}? (?:{'|'.join(_ACTIVITIES)})\.?", re.IGNORECASE)

_CAMERA = r"(?:img|dsc|dscn|dscf|pxl|mvimg|vid|pano|sam|gopr|dji|fb_img|wp|p)[-_ ]?\d[\d_-]{3,}\w*"
_SCREEN = r"(?:whatsapp image|screen ?shot|bildschirmfoto)[ _-]?\d{4}[\w\-. ]*"
_FILE = re.compile(rf"{_CAMERA}|{_SCREEN}|[\w\-. ()]+\.(?:jpe?g|png|gif|webp|hei[cf]|avif|mp4|mov)", re.IGNORECASE)

_LONGEST = 200


def is_boilerplate(text: str) -> bool:
    """Whether the whole text is a platform's or a camera's: with a sentence of a person's around it, it is that person's."""
    if len(text) > _LONGEST:
        return False
    return text.casefold().rstrip(".") in _KNOWN or bool(_ACTIVITY.fullmatch(text) or _FILE.fullmatch(text))
