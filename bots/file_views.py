from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from bots import storage
from bots.errors import ArtifactError
from bots.object_stores import BINARY


@require_safe
@never_cache
@login_required
def stored_file(request: HttpRequest, token: str) -> HttpResponse:
    """Give out the file that the link was made for; a bucket does this by itself."""
    artifact = storage.linked(token, person=request.user)
    if artifact is None:
        raise Http404
    try:
        content = storage.read(artifact)
    except ArtifactError as error:
        return HttpResponse(str(error), status=503, content_type="text/plain; charset=utf-8")
    disposition = content_disposition_header(True, artifact.filename)
    return HttpResponse(content, content_type=BINARY, headers={"Content-Disposition": disposition})
