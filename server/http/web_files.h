// The files of server/http/web/, made part of the program when it is built.
#pragma once

namespace espalier::server {

extern const char* const kPageHtml;
extern const char* const kPageCss;
extern const char* const kPageJs;

}  // namespace espalier::server
