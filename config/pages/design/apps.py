from django.apps import AppConfig


class DesignConfig(AppConfig):
    name = "config.pages.design"
    label = "design"

    def ready(self) -> None:
        from config.pages.design import words
        from config.pages.design.common_words import WORDS

        words.register(WORDS)
