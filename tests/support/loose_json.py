"""JSON in which any value stands in any place, with the keys that both platforms use."""

from hypothesis import strategies as st

_KEYS = st.sampled_from(
    (
        *(
            "media",
            "uri",
            "title",
            "description",
            "attachments",
            "data",
            "post",
            "timestamp",
            "creation_timestamp",
            "note",
            "text",
        ),
        *(
            "external_context",
            "url",
            "event",
            "caption",
            "path",
            "taken_at",
            "created_timestamp",
            "label_values",
            "string_map_data",
        ),
        *("label", "value", "media_list_data", "timestamp_value", "Caption", "Time", "tags", "place", "media_metadata"),
    )
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["a.jpg", "b.mp4", "Caption", "Time", "2018-11-05T20:19:29", "0001-01-01T00:00:00+14:00"])
)
anything = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5))
