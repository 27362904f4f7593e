from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "config.pages.console"
    label = "console"

    def ready(self) -> None:
        from config.pages.console.console_words import WORDS
        from config.pages.design import words

        words.register(WORDS)
