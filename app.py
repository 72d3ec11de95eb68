"""Entry point of the Hugging Face Space, and of ``python app.py``."""

from shipdet.settings import get_settings
from shipdet.ui import serve

if __name__ == "__main__":
    serve(get_settings())
