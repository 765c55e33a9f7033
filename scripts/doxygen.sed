# Comments of our headers as Doxygen wants them; see Doxyfile.
# A line of its own that names what follows: the name of a group.
s#^( *)// -- ([^-].*[^ -]) -+$#\1/// @name \2#
# DStream<T> is no HTML.
\#^ *//#s#<([A-Z][A-Za-z]*)>#\\<\1>#g
# A comment above what it describes, and one behind it.
s#^( *)//( |$)#\1///\2#
s#([;,]) +// #\1 ///< #
