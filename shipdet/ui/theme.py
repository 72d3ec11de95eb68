"""Colors and fonts of the page: grays with one blue, light and dark."""

import gradio as gr

# System fonts, because a web font would be loaded from another host.
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

SEA = gr.themes.Color(
    c50="#eef6fb",
    c100="#d7eaf5",
    c200="#b0d5ea",
    c300="#7db9da",
    c400="#4699c4",
    c500="#1f7dad",
    c600="#12658f",
    c700="#0f5274",
    c800="#0d415c",
    c900="#0b3247",
    c950="#071f2d",
    name="sea",
)


def make_theme() -> gr.themes.Base:
    """Return the app's theme."""
    return gr.themes.Base(
        primary_hue=SEA,
        secondary_hue=SEA,
        neutral_hue="slate",
        radius_size="md",
        spacing_size="sm",
        text_size="md",
        font=SANS,
        font_mono=MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="#0c141b",
        body_text_color="*neutral_900",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_secondary_dark="#121c25",
        block_background_fill="white",
        block_background_fill_dark="#141f29",
        block_border_color="*neutral_200",
        block_border_color_dark="#263442",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_200",
        block_title_text_weight="600",
        block_title_text_size="*text_sm",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        block_padding="10px 12px",
        block_shadow="none",
        border_color_primary="*neutral_200",
        border_color_primary_dark="#263442",
        input_background_fill="white",
        input_background_fill_dark="#0e1820",
        input_border_color="*neutral_300",
        input_border_color_dark="#334554",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        input_border_width="1px",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_border_width="1px",
        checkbox_border_width="1px",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        input_shadow_focus="0 0 0 3px *primary_200",
        input_shadow_focus_dark="0 0 0 3px *primary_800",
        slider_color="*primary_500",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="white",
        button_primary_border_color="*primary_600",
        button_primary_border_color_dark="*primary_500",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="#1a2733",
        button_secondary_background_fill_hover_dark="#22323f",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="#334554",
        button_large_text_weight="600",
    )
