"""Every way signing in says no."""

from config.kernel.errors import Unauthenticated


class WrongCredentials(Unauthenticated):
    code = "wrong_credentials"
    zh = "用户名或密码不正确"
    en = "Wrong user name or password."
