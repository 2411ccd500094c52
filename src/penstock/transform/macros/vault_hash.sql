{# The Data Vault's hashes. Their convention is a promise, written down with golden values in docs/vault.md. #}

{#
    The canonical text of a value, as `penstock.sql.canonical` writes it: it depends on the value alone, neither on
    the scale of a decimal nor on the session's time zone. The type is known when the query is bound, so one branch
    is left of the CASE.
#}
{% macro vault_text(column) -%}
    {%- set text = 'cast(' ~ column ~ ' as varchar)' -%}
    {%- set number = 'try_cast(' ~ column ~ ' as double)' -%}
    case
        when typeof({{ column }}) = 'TIMESTAMP WITH TIME ZONE'
            then cast(epoch_us(try_cast({{ column }} as timestamptz)) as varchar)
        when typeof({{ column }}) in ('DOUBLE', 'FLOAT')
            then case when isnan({{ number }}) then 'nan' else cast({{ number }} + cast(0 as double) as varchar) end
        when starts_with(typeof({{ column }}), 'DECIMAL(') then
            case
                when {{ number }} = 0 then '0'
                when not contains({{ text }}, '.') then {{ text }}
                else regexp_replace(rtrim(rtrim({{ text }}, '0'), '.'), '^(-?)[.]', '\10.')
            end
        when typeof({{ column }}) = 'BLOB' then hex(try_cast({{ column }} as blob))
        else {{ text }}
    end
{%- endmacro %}

{# A text with its length in bytes in front, so that no two lists of texts read the same; null stays null. #}
{% macro vault_net(text) -%}
    strlen({{ text }}) || ':' || ({{ text }}) || ','
{%- endmacro %}

{# The key of what has no key: 64 zeros. #}
{% macro vault_unknown_key() -%}
    '{{ '0' * 64 }}'
{%- endmacro %}

{#
    The hash key of a business key: SHA-256, 64 hexadecimal characters, over tenant, collision code and the columns
    in the order given. A key whose columns are all null is the unknown key.

        {{ vault_hash_key('member', ['member_id']) }}
#}
{% macro vault_hash_key(code, columns, tenant='tenant') -%}
    case
        when {% for column in columns %}{{ column }} is null{% if not loop.last %} and {% endif %}{% endfor %}
            then {{ vault_unknown_key() }}
        else sha256(concat(
            {{ vault_net(vault_text(tenant)) }},
            {{ vault_net("'" ~ code ~ "'") }}
            {%- for column in columns %},
            coalesce({{ vault_net(vault_text(column)) }}, '-,')
            {%- endfor %}
        ))
    end
{%- endmacro %}

{#
    The hash diff: the canonical row hash of the columns. They go by name, so neither their order nor a further
    column that is null changes it. `is_deleted` takes part only where it is true.

        {{ vault_hash_diff(['name', 'city']) }}
#}
{% macro vault_hash_diff(columns, deleted='is_deleted', tenant='tenant') -%}
    {%- set flag = "case when " ~ deleted ~ " then '10:is_deleted,4:true,' else '' end" -%}
    sha256(concat(
        {{ vault_net(vault_text(tenant)) }}
        {%- for name in (columns + ['is_deleted']) | sort(case_sensitive=true) %},
        {% if name == 'is_deleted' -%}
            {{ flag }}
        {%- else -%}
            coalesce({{ "'" ~ (name.encode() | length) ~ ':' ~ name ~ ",'" }} || {{ vault_net(vault_text(name)) }}, '')
        {%- endif %}
        {%- endfor %}
    ))
{%- endmacro %}
