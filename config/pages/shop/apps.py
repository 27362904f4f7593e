from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "config.pages.shop"
    label = "shop"

    def ready(self) -> None:
        from config.pages.design import words
        from config.pages.shop import buying_words, ordering_words, shop_words

        for catalogue in (shop_words.WORDS, buying_words.WORDS, ordering_words.WORDS):
            words.register(catalogue)
