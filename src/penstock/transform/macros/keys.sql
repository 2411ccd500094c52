{#
    A key of 32 hexadecimal characters: the first half of the vault's hash key (see vault_hash.sql) of tenant, collision
    code and columns.

        {{ penstock_key('line', ['source_file', 'source_line'], tenant='tenant') }}
#}
{% macro penstock_key(code, columns, tenant='_tenant') -%}
    left({{ vault_hash_key(code, columns, tenant=tenant) }}, 32)
{%- endmacro %}
