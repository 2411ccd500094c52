{#
    A hash key of 32 hexadecimal characters: the first half of SHA-256 over tenant, collision code and columns, each
    written as its length in bytes, a colon, its text and a comma; null is `-,`. The text of a decimal, a double or a
    timestamp depends on its type, so cast such a column to what it should be in the key.

        {{ penstock_key('line', ['source_file', 'source_line'], tenant='tenant') }}
#}
{% macro penstock_key(code, columns, tenant='_tenant') -%}
    left(sha256(concat(
        {%- for part in [tenant, "'" ~ code ~ "'"] + columns %}
        coalesce(strlen(cast({{ part }} as varchar)) || ':' || cast({{ part }} as varchar), '-') || ','
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    )), 32)
{%- endmacro %}
