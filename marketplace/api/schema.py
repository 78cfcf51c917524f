"""The API's description in OpenAPI, which the operator's people see and nobody else."""

from django.http import Http404
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import second_factor


class TokenScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
    """Says in the description that the header is `Authorization: Bearer …`."""

    target_class = "accounts.api_access.TokenAuthentication"


class Schema(SpectacularAPIView):
    authentication_classes = (SessionAuthentication,)
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        if not request.user.is_superuser or not second_factor.is_given(request._request):
            raise Http404
        return super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
