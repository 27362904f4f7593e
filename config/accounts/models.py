"""Who signs in: staff and operators. Customers never have a row here; they carry tokens."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models

from config.kernel.ids import PublicIdModel


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(username, password, is_staff=True, is_superuser=True, **fields)


class User(PublicIdModel, AbstractBaseUser, PermissionsMixin):
    """
    One person who works with Hexiao; what she may do is said by her ``stores.Staff`` rows.

    Tokens signed before ``sessions_from`` speak for nobody any more.
    """

    PREFIX: ClassVar[str] = "usr"
    USERNAME_FIELD: ClassVar[str] = "username"

    username = models.CharField(max_length=64, unique=True)
    display_name = models.CharField(max_length=64, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sessions_from = models.DateTimeField(null=True, blank=True)

    objects = UserManager()

    def __str__(self) -> str:
        return self.display_name or self.username
